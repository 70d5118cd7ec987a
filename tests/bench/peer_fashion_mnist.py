"""Peer of preset fashion_mnist_quickstart: the same training as a plain script with diffusers.

    .deps/venv/bin/python tests/bench/peer_fashion_mnist.py --output MODEL [--images 60000] [--seed 0]

As diffusers' examples do it: UNet2DModel (unet_quickstart.json), DDPMScheduler, AdamW, a cosine schedule
after a warm-up, clipping, EMAModel, with the numbers of the preset. Prints one JSON line (images_per_s,
train_s) and writes MODEL, a DDPMPipeline folder with the averaged weights, and MODEL/grid.png: 64
samples with 50 DDIM steps.
"""
import argparse
import gzip
import json
import os
import time

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel
from diffusers.optimization import get_cosine_schedule_with_warmup
from diffusers.training_utils import EMAModel
from PIL import Image

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"
BATCH = 32
WARMUP_IMAGES = 2000

parser = argparse.ArgumentParser()
parser.add_argument("--output", required=True)
parser.add_argument("--images", type=int, default=60000)
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--dtype", choices=["fp32", "bf16"], default="fp32")
parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
args = parser.parse_args()

torch.set_num_threads(args.threads)
torch.manual_seed(args.seed)
with gzip.open(SOURCE) as f:
    pixels = np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 1, 28, 28)
data = torch.from_numpy(pixels.copy()).float() / 127.5 - 1
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(data), batch_size=BATCH, shuffle=True,
                                     drop_last=True)
with open(os.path.join(HERE, "unet_quickstart.json")) as f:
    model = UNet2DModel(**json.load(f))
# Its decay grows as (1 + step) / (10 + step), to 0.995 in 1,875 steps.
ema = EMAModel(model.parameters(), decay=0.9975)
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
steps = args.images // BATCH
schedule = get_cosine_schedule_with_warmup(optimizer, WARMUP_IMAGES // BATCH, steps)
scheduler = DDPMScheduler()

times, losses = [], []
begin = time.perf_counter()
while len(times) < steps:
    for (clean,) in loader:
        step_begin = time.perf_counter()
        noise = torch.randn_like(clean)
        timesteps = torch.randint(0, 1000, (BATCH,))
        noisy = scheduler.add_noise(clean, noise, timesteps)
        with torch.autocast("cpu", torch.bfloat16, enabled=args.dtype == "bf16"):
            prediction = model(noisy, timesteps).sample
        loss = torch.nn.functional.mse_loss(prediction.float(), noise)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        ema.step(model.parameters())
        times.append(time.perf_counter() - step_begin)
        losses.append(loss.item())
        if len(times) == steps:
            break
train_s = time.perf_counter() - begin
print(json.dumps({"peer": "PyTorch + diffusers", "dtype": args.dtype, "threads": args.threads,
                  "images": steps * BATCH, "images_per_s": round(BATCH / float(np.median(times)), 1),
                  "train_s": round(train_s, 1), "loss": round(float(np.mean(losses[-200:])), 4)}), flush=True)

ema.copy_to(model.parameters())
model.eval()
DDPMPipeline(model, scheduler).save_pretrained(args.output)
sampler = DDIMScheduler()
sampler.set_timesteps(50)
sample = torch.randn(64, 1, 28, 28)
with torch.no_grad():
    for t in sampler.timesteps:
        sample = sampler.step(model(sample, t).sample, t, sample).prev_sample
tiles = ((sample.clamp(-1, 1) + 1) * 127.5).round().byte().numpy()[:, 0]
grid = np.zeros((8 * 30 - 2, 8 * 30 - 2), np.uint8)
for i, tile in enumerate(tiles):
    y, x = divmod(i, 8)
    grid[y * 30:y * 30 + 28, x * 30:x * 30 + 28] = tile
Image.fromarray(grid).save(os.path.join(args.output, "grid.png"))
