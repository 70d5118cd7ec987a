"""Training on two ranks against the same steps in PyTorch: diffusers' UNet, DDPMScheduler and EMAModel,
torch's AdamW and clipping, from the same weights and with the same draws.

A data set of one image, so that the order of images is not part of it.
"""
import json

import numpy as np
import pytest
import torch
from conftest import make_idx_folder, run, train_arguments
from diffusers import DDPMScheduler, UNet2DModel
from diffusers.training_utils import EMAModel
from random_stream import TIMESTEP, TRAINING_NOISE, normals, words
from safetensors.torch import load_file

SEED, SIDE, BATCH, STEPS, WARMUP = 5, 8, 16, 60, 6
LEARNING_RATE, CLIP_NORM, EMA_DECAY = 2e-3, 0.8, 0.9
CONFIG = f"""
seed: {SEED}
diffusion {{ ddpm {{}} }}
optimizer {{ learning_rate: {LEARNING_RATE} warmup_images: {WARMUP * BATCH} schedule: COSINE_DECAY
             clip_norm: {CLIP_NORM} weight_decay: 0.05 }}
ema {{ decay: {EMA_DECAY} rampup_ratio: 0 }}
train {{ total_images: {STEPS * BATCH} global_batch: {BATCH} microbatch: 4 }}
monitor {{ log_every_images: {BATCH} sample_every_images: 0 }}
"""


def timestep_of(position, stratified):
    word = [int(w) for w in words(SEED, position, TIMESTEP, 2)]
    if not stratified:
        return word[0] * 1000 >> 32
    u = ((word[0] << 20 | word[1] >> 12) + 0.5) / 2**52
    return int((position % BATCH + u) / BATCH * 1000)


def train_in_pytorch(model, image, stratified):
    """The losses and norms of each step and the averaged weights; `model` has the last ones."""
    ema = EMAModel(model.parameters(), decay=EMA_DECAY)
    ema.get_decay = lambda step: EMA_DECAY  # Without its warm-up.
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.05)
    scheduler = DDPMScheduler()
    losses, norms = [], []
    for step in range(STEPS):
        positions = range(step * BATCH, (step + 1) * BATCH)
        noise = np.stack([normals(SEED, position, TRAINING_NOISE, SIDE * SIDE) for position in positions])
        noise = torch.from_numpy(noise.reshape(BATCH, 1, SIDE, SIDE))
        timesteps = torch.tensor([timestep_of(position, stratified) for position in positions])
        optimizer.param_groups[0]["lr"] = LEARNING_RATE * (
            min(1, (step + 1) / WARMUP) * 0.5 * (1 + np.cos(np.pi * (step + 1) / STEPS)))
        prediction = model(scheduler.add_noise(image.expand_as(noise), noise, timesteps), timesteps).sample
        loss = torch.nn.functional.mse_loss(prediction, noise)
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP_NORM).item())
        optimizer.step()
        optimizer.zero_grad()
        ema.step(model.parameters())
        losses.append(loss.item())
    averages = {name: average for (name, _), average in zip(model.named_parameters(), ema.shadow_params)}
    return np.array(losses), np.array(norms), averages


@pytest.mark.parametrize("stratified", [False, True])
def test_training_is_what_pytorch_computes(tmp_path, stratified):
    images, _ = make_idx_folder(tmp_path / "source", count=1, side=SIDE)
    run(["prepare", "--input", tmp_path / "source", "--output", tmp_path / "data"])
    (tmp_path / "config.textproto").write_text(CONFIG)
    torch.manual_seed(1)
    model = UNet2DModel(sample_size=SIDE, in_channels=1, out_channels=1, block_out_channels=(16, 32),
                        layers_per_block=1, norm_num_groups=8, attention_head_dim=16,
                        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
                        up_block_types=("AttnUpBlock2D", "UpBlock2D"))
    begin = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    model.save_pretrained(tmp_path / "init")
    run(train_arguments(tmp_path / "config.textproto", tmp_path / "data", tmp_path / "run", "--init",
                        tmp_path / "init", "--set", f"diffusion.times.stratified={str(stratified).lower()}"),
        ranks=2)
    image = torch.from_numpy(images[:1]).float() / 127.5 - 1
    losses, norms, averages = train_in_pytorch(model, image, stratified)
    assert norms.min() < CLIP_NORM < norms.max()  # Some steps are clipped and some are not.

    logged = [json.loads(line) for line in (tmp_path / "run/metrics.jsonl").read_text().splitlines()]
    np.testing.assert_allclose([line["loss"] for line in logged if "loss" in line], losses, rtol=1e-3)
    ours = {}
    for shard in (tmp_path / f"run/checkpoints/images-{STEPS * BATCH:012}").glob("*.safetensors"):
        ours.update(load_file(shard))
    for prefix, theirs in (("model.", dict(model.named_parameters())), ("ema.", averages)):
        apart = moved = 0
        for name, weight in theirs.items():
            apart += (ours[prefix + name] - weight.detach()).square().sum().item()
            moved += (weight.detach() - begin[name]).square().sum().item()
        assert apart**0.5 < 1e-3 * moved**0.5, prefix
