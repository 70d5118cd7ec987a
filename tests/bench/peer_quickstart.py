"""Peer of launch/quickstart.sh: the same training as a plain PyTorch loop, and the same picture.

    .deps/venv/bin/python tests/bench/peer_quickstart.py --output peer [--images 60000] [--dtype bf16]

UNet of unet_quickstart.json at 28 px, batch 64, AdamW 1e-3 after a warm-up of 2,000 images, EMA 0.995,
DDPM linear, epsilon. Prints one JSON line (images_per_s, train_s) and, after a whole run, draws
OUTPUT/grid.png: 64 samples of the EMA with 50 DDIM steps.
"""
import argparse
import copy
import gzip
import json
import os
import time

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler, UNet2DModel
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"

parser = argparse.ArgumentParser()
parser.add_argument("--output", required=True)
parser.add_argument("--images", type=int, default=60000)
parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
args = parser.parse_args()

torch.set_num_threads(args.threads)
torch.manual_seed(0)
with gzip.open(SOURCE) as f:
    pixels = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
data = torch.from_numpy(pixels.copy()).float() / 127.5 - 1
with open(os.path.join(HERE, "unet_quickstart.json")) as f:
    model = UNet2DModel(**json.load(f))
ema = copy.deepcopy(model).requires_grad_(False)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
scheduler = DDPMScheduler()

batch = 64
steps = args.images // batch
times = []
begin = time.perf_counter()
order = torch.randperm(len(data))
for step in range(steps):
    step_begin = time.perf_counter()
    for group in optimizer.param_groups:
        group["lr"] = 1e-3 * min(1.0, (step + 1) * batch / 2000)
    clean = data[order[(torch.arange(batch) + step * batch) % len(data)]]
    noise = torch.randn_like(clean)
    timesteps = torch.randint(0, 1000, (batch,))
    noisy = scheduler.add_noise(clean, noise, timesteps)
    with torch.autocast("cpu", torch.bfloat16, enabled=args.dtype == "bf16"):
        prediction = model(noisy, timesteps).sample
    loss = torch.nn.functional.mse_loss(prediction.float(), noise)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    with torch.no_grad():
        torch._foreach_lerp_(list(ema.parameters()), list(model.parameters()), 0.005)
    times.append(time.perf_counter() - step_begin)
train_s = time.perf_counter() - begin
print(json.dumps({"peer": "PyTorch + diffusers", "dtype": args.dtype, "threads": args.threads,
                  "images": steps * batch, "images_per_s": round(batch / float(np.median(times)), 1),
                  "train_s": round(train_s, 1), "loss": round(loss.item(), 4)}), flush=True)
if args.images < 60000:
    raise SystemExit

os.makedirs(args.output, exist_ok=True)
sampler = DDIMScheduler()
sampler.set_timesteps(50)
sample = torch.randn(64, 1, 28, 28)
with torch.no_grad():
    for t in sampler.timesteps:
        sample = sampler.step(ema(sample, t).sample, t, sample).prev_sample
tiles = ((sample.clamp(-1, 1) + 1) * 127.5).round().byte().numpy()[:, 0]
grid = np.zeros((8 * 30 - 2, 8 * 30 - 2), np.uint8)
for i, tile in enumerate(tiles):
    y, x = divmod(i, 8)
    grid[y * 30:y * 30 + 28, x * 30:x * 30 + 28] = tile
Image.fromarray(grid).save(os.path.join(args.output, "grid.png"))
