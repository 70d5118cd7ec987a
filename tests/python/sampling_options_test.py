"""The options of `langevin sample`: samplers by name, guidance, what is refused and why."""
import re

import pytest
import torch
from conftest import run
from diffusers import (DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler,
                       DPMSolverMultistepScheduler, EDMEulerScheduler,
                       FlowMatchEulerDiscreteScheduler, UNet2DModel)
from safetensors.torch import load_file, save_file

COUNT, SIDE = 2, 8
torch.set_num_threads(1)


def make_unet(seed, classes=None):
    torch.manual_seed(seed)
    return UNet2DModel(sample_size=SIDE, in_channels=1, out_channels=1, block_out_channels=(8, 8),
                       norm_num_groups=4, layers_per_block=1, num_class_embeds=classes,
                       down_block_types=("DownBlock2D", "DownBlock2D"),
                       up_block_types=("UpBlock2D", "UpBlock2D")).eval()


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Folders by name, and noise.safetensors."""
    folder = tmp_path_factory.mktemp("models")
    save_file({"noise": torch.randn(COUNT, 1, SIDE, SIDE,
                                    generator=torch.Generator().manual_seed(7))},
              folder / "noise.safetensors")
    for name, unet, scheduler in [
            ("ddim", make_unet(0), DDIMScheduler(clip_sample=False)),
            ("worse", make_unet(1), DDIMScheduler(clip_sample=False)),
            ("other", make_unet(1), DDIMScheduler(beta_end=0.03)),
            ("classes", make_unet(2, classes=4), DDIMScheduler(clip_sample=False))]:
        DDIMPipeline(unet, scheduler).save_pretrained(folder / name)
    for name, scheduler in [("edm", EDMEulerScheduler()), ("flow", FlowMatchEulerDiscreteScheduler()),
                            ("dpm", DPMSolverMultistepScheduler())]:
        DDPMPipeline(make_unet(0), DDPMScheduler()).save_pretrained(folder / name)
        scheduler.save_pretrained(folder / name / "scheduler")
    return folder


def sample(models, name, output, *more, **how):
    process = run(["sample", "--model", models / name, "--output", output, "--count", COUNT,
                   "--noise", models / "noise.safetensors", *more], **how)
    if process.returncode != 0:
        return process
    return load_file(output / "samples.safetensors")["samples"], process.stderr


def evaluations(log):
    return float(re.search(r"([\d.]+) network evaluations each", log).group(1))


@pytest.mark.parametrize("name,arguments,expected", [
    ("ddim", [], ("ddim", 50)), ("edm", [], ("heun", 35)), ("flow", [], ("heun", 35)),
    ("dpm", [], ("dpmpp", 20)), ("edm", ["--sampler", "euler", "--steps", 4], ("euler", 4)),
    ("ddim", ["--sampler", "pc", "--steps", 3, "--corrector_steps", 2], ("pc", 9))])
def test_default_sampler_and_what_it_costs(name, arguments, expected, models, tmp_path):
    samples, log = sample(models, name, tmp_path / "out", *arguments)
    assert torch.isfinite(samples).all()
    assert f": {expected[0]}, " in log
    assert evaluations(log) == expected[1]


def guided(models, noise, reference_output, scale, steps, interval=(0, float("inf")), label=None):
    """DDIM by hand, in epsilon: guidance of x_0 and of epsilon are the same."""
    folder = models / ("ddim" if label is None else "classes")
    unet = UNet2DModel.from_pretrained(folder, subfolder="unet").eval()
    scheduler = DDIMScheduler.from_pretrained(folder, subfolder="scheduler")
    scheduler.set_timesteps(steps)
    labels = None if label is None else torch.full((COUNT,), label)
    sample, asked = noise, 0
    with torch.no_grad():
        for t in scheduler.timesteps:
            output = unet(sample, t, class_labels=labels).sample
            alpha_bar = scheduler.alphas_cumprod[t]
            if interval[0] < ((1 - alpha_bar) / alpha_bar) ** 0.5 <= interval[1]:
                other = reference_output(unet, sample, t)
                output = other + scale * (output - other)
                asked += 1
            asked += 1
            sample = scheduler.step(output, t, sample).prev_sample
    return sample, asked


def check_near(a, b):
    assert (a - b).abs().max() <= 1e-4 * max(1, b.abs().max())


@pytest.mark.parametrize("interval", [None, (0.5, 20)])
def test_autoguidance(interval, models, tmp_path):
    worse = UNet2DModel.from_pretrained(models / "worse", subfolder="unet").eval()
    more = [] if interval is None else ["--guidance_interval", "{},{}".format(*interval)]
    ours, log = sample(models, "ddim", tmp_path / "out", "--steps", 8, "--guidance", 1.5, "--guide",
                       models / "worse", *more)
    noise = load_file(models / "noise.safetensors")["noise"]
    theirs, asked = guided(models, noise, lambda _, x, t: worse(x, t).sample, 1.5, 8,
                           interval or (0, float("inf")))
    check_near(ours, theirs)
    assert evaluations(log) == asked


def test_classifier_free_guidance(models, tmp_path):
    ours, _ = sample(models, "classes", tmp_path / "out", "--steps", 6, "--class", 1, "--guidance", 3,
                     "--null_class", 3)
    noise = load_file(models / "noise.safetensors")["noise"]
    theirs, _ = guided(models, noise,
                       lambda unet, x, t: unet(x, t, class_labels=torch.full((COUNT,), 3)).sample,
                       3, 6, label=1)
    check_near(ours, theirs)


def test_adaptive_and_stochastic_samples_do_not_depend_on_count_or_ranks(models, tmp_path):
    for name, options in {"rk45": ["--tolerance", 1e-2], "pc": ["--steps", 4],
                          "heun": ["--steps", 4, "--churn", 10]}.items():
        results = []
        for count, ranks in ((2, 0), (18, 2)):
            output = tmp_path / f"{name}{count}"
            run(["sample", "--model", models / "edm", "--output", output, "--count", count,
                 "--sampler", name, *options], ranks=ranks)
            results.append(load_file(output / "samples.safetensors")["samples"])
        assert torch.equal(results[0], results[1][:2]), name
        assert not torch.equal(results[1][0], results[1][1])


REFUSED = {
    "eta": ("ddim", ["--sampler", "heun", "--eta", 1], "--eta: is only for --sampler ddim"),
    "churn": ("ddim", ["--churn", 10], "--churn: is only for --sampler euler, heun, not for ddim"),
    "no churn": ("edm", ["--churn_min", 1], "need --churn"),
    "name": ("ddim", ["--sampler", "magic"], "--sampler magic: must be one of ddpm, ddim"),
    "steps": ("ddim", ["--steps", 1001], "--steps 1001: must be from 1 to the 1000"),
    "rk45": ("edm", ["--sampler", "rk45", "--steps", 5], "--steps: rk45 takes as many"),
    "spacing": ("edm", ["--spacing", "trailing"], "--spacing trailing: is for models with a table"),
    "uniform": ("ddim", ["--spacing", "uniform"], "is for models with continuous time"),
    "shift": ("ddim", ["--shift", 3], "--shift: is for flow models"),
    "pc": ("flow", ["--sampler", "pc"], "no finite drift"),
    "predictor": ("ddim", ["--sampler", "pc", "--predictor", "euler_maruyama"], "continuous time"),
    "two clips": ("ddim", ["--clip", 1, "--thresholding", 0.9], "give one of them"),
    "no scale": ("ddim", ["--guide", "nothing"], "need --guidance W"),
    "no reference": ("ddim", ["--guidance", 2], "needs something to lead away from"),
    "process": ("ddim", ["--guidance", 2, "--guide", "other"], "other noise levels"),
    "kind": ("ddim", ["--guidance", 2, "--guide", "flow"], "other noise levels"),
    "no classes": ("ddim", ["--guidance", 2, "--null_class", 0], "has no table of classes"),
    "null class": ("classes", ["--guidance", 2, "--null_class", 4], "has the classes 0 to 3"),
    "interval": ("ddim", ["--guidance", 2, "--guide", "worse", "--guidance_interval", "3,1"],
                 "0 <= LOW < HIGH"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused_with_the_reason(name, models, tmp_path):
    model, arguments, message = REFUSED[name]
    arguments = [models / a if i and arguments[i - 1] == "--guide" else a
                 for i, a in enumerate(arguments)]
    process = sample(models, model, tmp_path / "out", *arguments, check=False)
    assert process.returncode in (2, 3), process.stderr
    assert message in process.stderr
    assert not (tmp_path / "out").exists()
