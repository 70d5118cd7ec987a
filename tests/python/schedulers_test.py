"""Samplers against diffusers 0.42.1's schedulers: the same network and noise, every class that both
have, five numbers of steps, all spacings. All cases run in one process (sample_cases.cc), in which
langevin's own code reads the scheduler's config and draws the batch.

The noise inside of samplers is a function of (seed, image, draw), which random_stream.py writes again
and which is given to diffusers: stochastic schedulers are compared by value too.
"""
import json
import os
import subprocess
import warnings

import numpy as np
import pytest
import torch
from conftest import ENVIRONMENT
from diffusers import (DDIMScheduler, DDPMPipeline, DDPMScheduler, DPMSolverMultistepScheduler,
                       EDMDPMSolverMultistepScheduler, EDMEulerScheduler,
                       EulerAncestralDiscreteScheduler, EulerDiscreteScheduler,
                       FlowMatchEulerDiscreteScheduler, FlowMatchHeunDiscreteScheduler,
                       HeunDiscreteScheduler, ScoreSdeVeScheduler, UNet2DModel,
                       UniPCMultistepScheduler)
from diffusers.schedulers.deprecated.scheduling_sde_vp import ScoreSdeVpScheduler
from random_stream import SAMPLER_NOISE, normals
from safetensors.torch import load_file, save_file

torch.set_num_threads(1)  # Tiny tensors: more threads only wait for each other.
COUNT, SIDE, SEED = 2, 8, 3
STEPS = [1, 2, 3, 6, 16]
SPACINGS = ["leading", "trailing", "linspace"]
VE = dict(sigma_max=50.0)
V = dict(prediction_type="v_prediction")
FLOW = dict(use_flow_sigmas=True, prediction_type="flow_prediction")
ZERO_SNR = dict(rescale_betas_zero_snr=True, timestep_spacing="trailing", **V)

# (class, fields): sampled with all of STEPS.
CASES = {
    "euler": (EulerDiscreteScheduler, {}),
    "euler_karras": (EulerDiscreteScheduler, dict(use_karras_sigmas=True)),
    "euler_karras_ends": (EulerDiscreteScheduler, dict(use_karras_sigmas=True, sigma_min=0.05,
                                                       sigma_max=30.0)),
    "euler_exponential": (EulerDiscreteScheduler, dict(use_exponential_sigmas=True)),
    "euler_beta": (EulerDiscreteScheduler, dict(use_beta_sigmas=True)),
    "euler_sample": (EulerDiscreteScheduler, dict(prediction_type="sample")),
    "euler_sigma_min": (EulerDiscreteScheduler, dict(final_sigmas_type="sigma_min", **V)),
    "euler_log_linear": (EulerDiscreteScheduler, dict(interpolation_type="log_linear")),
    "euler_continuous": (EulerDiscreteScheduler, dict(timestep_type="continuous",
                                                      use_karras_sigmas=True, **V)),
    "euler_zero_snr": (EulerDiscreteScheduler, ZERO_SNR),
    "ancestral": (EulerAncestralDiscreteScheduler, {}),
    "ancestral_zero_snr": (EulerAncestralDiscreteScheduler, ZERO_SNR),
    "heun": (HeunDiscreteScheduler, {}),
    "heun_karras_clip": (HeunDiscreteScheduler, dict(use_karras_sigmas=True, clip_sample=True,
                                                     clip_sample_range=1.5)),
    "heun_exponential": (HeunDiscreteScheduler, dict(use_exponential_sigmas=True, **V)),
    "heun_beta": (HeunDiscreteScheduler, dict(use_beta_sigmas=True, prediction_type="sample")),
    "heun_exp_schedule": (HeunDiscreteScheduler, dict(beta_schedule="exp")),
    "dpm": (DPMSolverMultistepScheduler, {}),
    "dpm_1": (DPMSolverMultistepScheduler, dict(solver_order=1)),
    "dpm_3": (DPMSolverMultistepScheduler, dict(solver_order=3)),
    "dpm_heun": (DPMSolverMultistepScheduler, dict(solver_type="heun", euler_at_final=True,
                                                   final_sigmas_type="sigma_min")),
    "dpm_3_sigma_min": (DPMSolverMultistepScheduler,
                        dict(solver_order=3, final_sigmas_type="sigma_min",
                             lower_order_final=False)),
    "dpm_sde": (DPMSolverMultistepScheduler, dict(algorithm_type="sde-dpmsolver++")),
    "dpm_sde_heun": (DPMSolverMultistepScheduler, dict(algorithm_type="sde-dpmsolver++",
                                                       solver_type="heun", **V)),
    "dpm_karras": (DPMSolverMultistepScheduler, dict(use_karras_sigmas=True)),
    "dpm_cosine": (DPMSolverMultistepScheduler, dict(beta_schedule="squaredcos_cap_v2", **V)),
    "dpm_exponential": (DPMSolverMultistepScheduler, dict(use_exponential_sigmas=True)),
    "dpm_beta": (DPMSolverMultistepScheduler, dict(use_beta_sigmas=True)),
    "dpm_lu": (DPMSolverMultistepScheduler, dict(use_lu_lambdas=True)),
    "dpm_clipped": (DPMSolverMultistepScheduler, dict(lambda_min_clipped=-3.0)),
    "dpm_thresholding": (DPMSolverMultistepScheduler,
                         dict(thresholding=True, sample_max_value=2.0,
                              dynamic_thresholding_ratio=0.9)),
    "dpm_zero_snr": (DPMSolverMultistepScheduler, ZERO_SNR),
    "dpm_flow": (DPMSolverMultistepScheduler, dict(flow_shift=3.0, **FLOW)),
    "unipc": (UniPCMultistepScheduler, {}),
    "unipc_bh1": (UniPCMultistepScheduler, dict(solver_type="bh1", final_sigmas_type="sigma_min")),
    "unipc_1": (UniPCMultistepScheduler, dict(solver_order=1)),
    "unipc_3": (UniPCMultistepScheduler, dict(solver_order=3)),
    "unipc_3_sigma_min": (UniPCMultistepScheduler, dict(solver_order=3, lower_order_final=False,
                                                        final_sigmas_type="sigma_min")),
    "unipc_disabled": (UniPCMultistepScheduler, dict(disable_corrector=[0, 3])),
    "unipc_karras": (UniPCMultistepScheduler, dict(use_karras_sigmas=True)),
    "unipc_exponential": (UniPCMultistepScheduler, dict(use_exponential_sigmas=True, **V)),
    "unipc_beta": (UniPCMultistepScheduler, dict(use_beta_sigmas=True)),
    "unipc_thresholding": (UniPCMultistepScheduler, dict(thresholding=True)),
    "unipc_flow": (UniPCMultistepScheduler, dict(flow_shift=3.0, shift_terminal=0.1, **FLOW)),
    "edm_euler": (EDMEulerScheduler, {}),
    "edm_euler_exponential": (EDMEulerScheduler, dict(sigma_schedule="exponential",
                                                      sigma_data=0.66, sigma_max=40.0)),
    "edm_dpm": (EDMDPMSolverMultistepScheduler, dict(sigma_data=0.7, rho=5.0)),
    "edm_dpm_3": (EDMDPMSolverMultistepScheduler, dict(solver_order=3)),
    "edm_dpm_heun": (EDMDPMSolverMultistepScheduler, dict(solver_type="heun", thresholding=True)),
    "edm_dpm_sde": (EDMDPMSolverMultistepScheduler, dict(algorithm_type="sde-dpmsolver++")),
    "flow_euler": (FlowMatchEulerDiscreteScheduler, {}),
    "flow_euler_shift": (FlowMatchEulerDiscreteScheduler, dict(shift=3.0)),
    "flow_euler_terminal": (FlowMatchEulerDiscreteScheduler, dict(shift=3.0, shift_terminal=0.1)),
    "flow_euler_karras": (FlowMatchEulerDiscreteScheduler, dict(use_karras_sigmas=True)),
    "flow_euler_exponential": (FlowMatchEulerDiscreteScheduler, dict(use_exponential_sigmas=True)),
    "flow_euler_beta": (FlowMatchEulerDiscreteScheduler, dict(use_beta_sigmas=True)),
    "flow_euler_stochastic": (FlowMatchEulerDiscreteScheduler, dict(stochastic_sampling=True)),
    "flow_euler_500": (FlowMatchEulerDiscreteScheduler, dict(num_train_timesteps=500)),
    "flow_heun": (FlowMatchHeunDiscreteScheduler, {}),
    "flow_heun_shift": (FlowMatchHeunDiscreteScheduler, dict(shift=3.0)),
    "ddim_eta": (DDIMScheduler, dict(clip_sample=False)),
    "ddpm": (DDPMScheduler, {}),
    "ddpm_fixed_large": (DDPMScheduler, dict(variance_type="fixed_large", **V)),
}
for name, scheduler in {"euler": EulerDiscreteScheduler,
                        "ancestral": EulerAncestralDiscreteScheduler,
                        "heun": HeunDiscreteScheduler, "dpm": DPMSolverMultistepScheduler,
                        "unipc": UniPCMultistepScheduler, "ddim_eta": DDIMScheduler,
                        "ddpm": DDPMScheduler}.items():
    for spacing in SPACINGS:
        CASES[f"{name}_{spacing}"] = (scheduler, dict(timestep_spacing=spacing,
                                                      beta_schedule="scaled_linear",
                                                      **({"clip_sample": False}
                                                         if scheduler is DDIMScheduler else {})))

OPTIONS = {"ddim_eta": dict(sampler="ddim", eta=0.7), "ddpm": dict(sampler="ddpm"),
           "edm_euler": dict(sampler="euler"), "flow_euler": dict(sampler="euler")}
# One step, where diffusers divides 0 by 0, or begins at sigma_min.
FAILS = {("unipc_flow", 1), ("flow_euler_terminal", 1), ("edm_euler_exponential", 1)}
# Where sigma / alpha is 4096, diffusers loses three digits of float32 in x / alpha.
TOLERANCES = {"euler_zero_snr": 1e-3, "ancestral_zero_snr": 1e-3, "heun_exp_schedule": 3e-4,
              "heun_karras_clip": 3e-4}


def options_of(name):
    return next((options for prefix, options in OPTIONS.items() if name.startswith(prefix)), {})


def sampler_noise(draw):
    """What langevin's samplers draw of each image."""
    images = [normals(SEED, image, SAMPLER_NOISE, SIDE * SIDE, substream=draw).reshape(1, SIDE, SIDE)
              for image in range(COUNT)]
    return torch.from_numpy(np.stack(images))


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return UNet2DModel(sample_size=SIDE, in_channels=1, out_channels=1, block_out_channels=(8, 8),
                       norm_num_groups=4, layers_per_block=1, attention_head_dim=8,
                       down_block_types=("DownBlock2D", "AttnDownBlock2D"),
                       up_block_types=("AttnUpBlock2D", "UpBlock2D")).eval()


@pytest.fixture(scope="module")
def noise():
    return torch.randn(COUNT, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(7))


def run_cases(unet, noise, cases, folder):
    """`cases` as sample_cases.cc reads them; returns samples and schedulers as written."""
    DDPMPipeline(unet, DDPMScheduler()).save_pretrained(folder / "model")
    save_file({"noise": noise}, folder / "noise.safetensors")
    (folder / "cases.json").write_text(json.dumps(cases))
    process = subprocess.run([os.environ["LANGEVIN_SAMPLE_CASES"], folder / "model",
                              folder / "noise.safetensors", str(SEED), folder / "cases.json",
                              folder], env=ENVIRONMENT, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    samples = load_file(folder / "samples.safetensors")
    return ([samples[str(i)] for i in range(len(cases))],
            json.loads((folder / "schedulers.json").read_text()))


@pytest.fixture(scope="module")
def ours(unet, noise, tmp_path_factory):
    keys = [(name, steps) for name in CASES for steps in STEPS if (name, steps) not in FAILS]
    texts = {name: scheduler(**fields).to_json_string()
             for name, (scheduler, fields) in CASES.items()}
    samples, schedulers = run_cases(
        unet, noise, [dict(scheduler=texts[name], steps=steps, options=options_of(name))
                      for name, steps in keys], tmp_path_factory.mktemp("cases"))
    return {key: (sample, written) for key, sample, written in zip(keys, samples, schedulers)}


def theirs(scheduler, unet, noise, steps, options):
    draws = iter(range(1000))
    module = __import__(type(scheduler).__module__, fromlist=["randn_tensor"])
    kept = getattr(module, "randn_tensor", None)
    module.randn_tensor = lambda *_, **__: sampler_noise(next(draws))
    try:
        scheduler.set_timesteps(steps)
        if hasattr(scheduler, "set_begin_index"):
            scheduler.set_begin_index(0)
        sample = noise * getattr(scheduler, "init_noise_sigma", 1)
        more = {"eta": options["eta"]} if "eta" in options else {}
        with torch.no_grad():
            for t in scheduler.timesteps:
                scaled = (scheduler.scale_model_input(sample, t)
                          if hasattr(scheduler, "scale_model_input") else sample)
                sample = scheduler.step(unet(scaled, t).sample, t, sample, **more).prev_sample
    finally:
        module.randn_tensor = kept
    return sample


def check_near(a, b, tolerance, what):
    error = ((a - b).abs().max() / max(1, b.abs().max())).item()
    assert error <= tolerance, f"{what}: {error:.2g}"


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", CASES)
def test_samples_are_diffusers(name, unet, noise, ours):
    scheduler, fields = CASES[name]
    for steps in STEPS:
        if (name, steps) in FAILS:
            continue
        expected = theirs(scheduler(**fields), unet, noise, steps, options_of(name))
        assert torch.isfinite(expected).all(), steps
        check_near(ours[name, steps][0], expected, TOLERANCES.get(name, 1e-4), f"{steps} steps")


@pytest.mark.parametrize("name", CASES)
def test_configs_are_written_as_they_were_read(name, ours):
    scheduler, fields = CASES[name]
    assert json.loads(ours[name, 6][1]) == json.loads(scheduler(**fields).to_json_string())


def sde_score(unet, sample, told):
    with torch.no_grad():
        return unet(sample, torch.full((sample.shape[0],), float(told))).sample


# diffusers takes the corrector's norms as means over the batch, so images are compared one by one.
@pytest.mark.parametrize("corrector_steps", [0, 1, 2])
def test_variance_exploding_sde(corrector_steps, unet, noise, tmp_path):
    scheduler = ScoreSdeVeScheduler(sigma_max=50.0, snr=0.1, correct_steps=corrector_steps)
    samples, _ = run_cases(unet, noise, [dict(scheduler=scheduler.to_json_string(), steps=steps,
                                              options=dict(sampler="pc")) for steps in (2, 7)],
                           tmp_path)
    for result, steps in zip(samples, (2, 7)):
        scheduler.set_timesteps(steps)
        scheduler.set_sigmas(steps)
        for i in range(COUNT):
            draws = iter(range(100))
            module = __import__(type(scheduler).__module__, fromlist=["randn_tensor"])
            kept, module.randn_tensor = module.randn_tensor, (
                lambda *_, **__: sampler_noise(next(draws))[i:i + 1])
            sample = noise[i:i + 1] * scheduler.init_noise_sigma
            for step, t in enumerate(scheduler.timesteps):
                for _ in range(corrector_steps):
                    score = sde_score(unet, sample, scheduler.sigmas[step])
                    sample = scheduler.step_correct(score, sample).prev_sample
                score = sde_score(unet, sample, scheduler.sigmas[step])
                output = scheduler.step_pred(score, t, sample)
                sample = output.prev_sample
            module.randn_tensor = kept
            check_near(result[i:i + 1], output.prev_sample_mean, 1e-3, f"{steps} steps")


# With sampling_eps = 1 / steps the scheduler's step, -1 / steps, is the distance of its times.
def test_variance_preserving_sde(unet, noise, tmp_path):
    steps = 10
    scheduler = ScoreSdeVpScheduler(sampling_eps=1 / steps)
    (result,), _ = run_cases(unet, noise, [dict(scheduler=scheduler.to_json_string(), steps=steps,
                                                options=dict(sampler="pc"))], tmp_path)
    scheduler.set_timesteps(steps)
    sample = noise
    for step, t in enumerate(scheduler.timesteps):
        score = sde_score(unet, sample, t * (scheduler.config.num_train_timesteps - 1))
        _, mean = scheduler.step_pred(score, sample, t)
        # What it adds there is not a number: the square root of -1 / steps is taken of a negative.
        beta = scheduler.config.beta_min + t * (scheduler.config.beta_max
                                                - scheduler.config.beta_min)
        sample = mean + torch.sqrt(beta / steps) * sampler_noise(step)
    check_near(result, mean, 1e-4, "10 steps")
