"""Sixteen combinations of process, prediction, weighting and times: each trained by two ranks, exported,
and sampled here and, where diffusers has the family, there, from the same noise.

What is compared is the whole chain: what training told the network at each noise level, what the
exported scheduler says of it, and what samplers make of both.
"""
import json

import numpy as np
import pytest
import torch
from conftest import TINY_CONFIG, digest, run, train_arguments
from diffusers import (DDIMScheduler, DDPMScheduler, EDMEulerScheduler,
                       FlowMatchEulerDiscreteScheduler, UNet2DModel)
from safetensors.torch import load_file, save_file

COUNT = 2
STEPS = 5
# Name: (diffusion { ... }, class of the exported scheduler).
COMBINATIONS = {
    "ddpm epsilon": ("ddpm {}", "DDPMScheduler"),
    "ddpm sample, min-SNR": ("ddpm { prediction: SAMPLE } loss { weighting: MIN_SNR }", "DDPMScheduler"),
    "ddpm v, cosine, stratified": (
        "ddpm { prediction: V_PREDICTION beta_schedule: COSINE } times { stratified: true }", "DDPMScheduler"),
    "ddpm v, zero terminal SNR": (
        "ddpm { prediction: V_PREDICTION rescale_betas_zero_snr: true } loss { weighting: SOFT_MIN_SNR }",
        "DDPMScheduler"),
    "ddpm learned variance": ("ddpm { variance: LEARNED_RANGE }", "DDPMScheduler"),
    "edm": ("edm { sigma_max: 20 }", "EDMEulerScheduler"),
    "edm, soft-min-SNR": ("edm {} loss { weighting: SOFT_MIN_SNR } data_sigma: 0.6", "EDMEulerScheduler"),
    "edm sample": ("edm { prediction: SAMPLE } loss { weighting: EDM }", "LangevinScheduler"),
    "flow": ("flow {}", "FlowMatchEulerDiscreteScheduler"),
    "flow, logit-normal, shift": (
        "flow { shift: 2 } times { distribution: LOGIT_NORMAL }", "FlowMatchEulerDiscreteScheduler"),
    "flow trigonometric": ("flow { path: TRIGONOMETRIC prediction: V_PREDICTION }", "LangevinScheduler"),
    "vp epsilon": ("sde {}", "ScoreSdeVpScheduler"),
    "vp preconditioned": ("sde { prediction: PRECONDITIONED }", "LangevinScheduler"),
    "vp score, likelihood": (
        "sde { prediction: SCORE } loss { weighting: LIKELIHOOD } times { smallest: 0.01 }",
        "LangevinScheduler"),
    "sub-vp, P2": ("sde { kind: SUB_VP } loss { weighting: P2 }", "LangevinScheduler"),
    "ve": ("sde { kind: VE sigma_max: 20 prediction: PRECONDITIONED }", "LangevinScheduler"),
}
torch.set_num_threads(1)


def config_text(diffusion):
    text = TINY_CONFIG.replace("diffusion { ddpm {} }", f"diffusion {{ {diffusion} }}")
    if "LEARNED_RANGE" in diffusion:
        text = text.replace("out_channels: 1\n", "out_channels: 2\n")
    return text.replace("total_images: 640", "total_images: 96").replace("sample_every_images: 320",
                                                                        "sample_every_images: 48")


@pytest.fixture(scope="module", params=COMBINATIONS)
def exported(request, dataset, tmp_path_factory):
    """(name, config, run folder, exported folder)."""
    folder = tmp_path_factory.mktemp("family")
    config = folder / "config.textproto"
    config.write_text(config_text(COMBINATIONS[request.param][0]))
    run(train_arguments(config, dataset, folder / "run"), ranks=2)
    run(["export", "--run", folder / "run", "--output", folder / "model"])
    return request.param, config, folder / "run", folder / "model"


def sample_in_diffusers(model, noise):
    """The loop that each scheduler's documentation has; None where diffusers has no such class."""
    config = json.loads((model / "scheduler" / "scheduler_config.json").read_text())
    unet = UNet2DModel.from_pretrained(model / "unet").eval()
    name = config["_class_name"]
    if name == "DDPMScheduler":
        scheduler = DDIMScheduler.from_config(config)
    elif name == "EDMEulerScheduler":
        scheduler = EDMEulerScheduler.from_pretrained(model, subfolder="scheduler")
    elif name == "FlowMatchEulerDiscreteScheduler":
        scheduler = FlowMatchEulerDiscreteScheduler.from_pretrained(model, subfolder="scheduler")
    else:
        return None
    scheduler.set_timesteps(STEPS)
    sample = noise * getattr(scheduler, "init_noise_sigma", 1.0)
    with torch.no_grad():
        for t in scheduler.timesteps:
            inputs = (scheduler.scale_model_input(sample, t) if hasattr(scheduler, "scale_model_input")
                      else sample)
            output = unet(inputs, t).sample[:, :1]
            sample = scheduler.step(output, t, sample).prev_sample
    return sample


def test_every_rank_count_and_restart_gives_the_same_run(exported, dataset, tmp_path):
    _, config, run_folder, _ = exported
    run(train_arguments(config, dataset, tmp_path / "run", "--set", "train.total_images=48"))
    run(train_arguments(config, dataset, tmp_path / "run"))
    assert digest(tmp_path / "run") == digest(run_folder)


def test_exports_the_scheduler_of_its_family(exported):
    name, _, _, model = exported
    scheduler = json.loads((model / "scheduler" / "scheduler_config.json").read_text())
    assert scheduler["_class_name"] == COMBINATIONS[name][1]
    # EDM's data_sigma is the data's own: uniform bytes in [-1, 1] have 1 / sqrt(3).
    if name == "edm":
        assert abs(scheduler["sigma_data"] - 3 ** -0.5) < 0.02
    unet = UNet2DModel.from_pretrained(model / "unet").eval()
    parity = load_file(model / "parity.safetensors")
    with torch.no_grad():
        output = unet(parity["sample"], parity["timestep"]).sample
    assert (output - parity["output"]).abs().max() < 1e-4 * max(1, parity["output"].abs().max())


def test_samples_there_what_it_samples_here(exported, tmp_path):
    name, _, run_folder, model = exported
    noise = torch.randn(COUNT, 1, 8, 8, generator=torch.Generator().manual_seed(1))
    save_file({"noise": noise}, tmp_path / "noise.safetensors")
    results = {}
    sampler = {"DDPMScheduler": "ddim", "EDMEulerScheduler": "euler",
               "FlowMatchEulerDiscreteScheduler": "euler"}.get(COMBINATIONS[name][1], "heun")
    for source in (run_folder, model):
        output = tmp_path / source.name
        run(["sample", "--model", source, "--output", output, "--count", COUNT, "--sampler", sampler,
             "--steps", STEPS, "--noise", tmp_path / "noise.safetensors"])
        results[source.name] = load_file(output / "samples.safetensors")["samples"]
    assert torch.equal(results["run"], results["model"])
    assert results["model"].isfinite().all()
    expected = sample_in_diffusers(model, noise)
    if expected is not None:
        scale = max(1, float(expected.abs().max()))
        assert (results["model"] - expected).abs().max() < 1e-3 * scale


def test_losses_are_of_the_size_their_weighting_says(exported):
    """Targets of unit size, or x_0 in [-1, 1], weighted: no combination starts at thousands."""
    name, _, run_folder, _ = exported
    losses = [json.loads(line)["loss"] for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    assert len(losses) >= 2 and np.isfinite(losses).all()
    # Likelihood's weights are g^2, up to 20; EDM's weighting of x_0 is up to 1 / sigma^2.
    assert max(losses) < (1e5 if name in ("edm sample", "vp score, likelihood") else 10), losses
