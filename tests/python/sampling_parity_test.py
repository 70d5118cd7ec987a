"""`langevin sample` on diffusers folders against diffusers' own schedulers, from the same noise."""
import pytest
import torch
from conftest import run
from diffusers import DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler, UNet2DModel
from safetensors.torch import load_file, save_file

COUNT, SIDE = 3, 16

SCHEDULERS = {
    "defaults": {},
    "trailing_v": dict(prediction_type="v_prediction", timestep_spacing="trailing"),
    "linspace_x0": dict(prediction_type="sample", timestep_spacing="linspace"),
    "cosine_offset": dict(beta_schedule="squaredcos_cap_v2", steps_offset=1,
                          set_alpha_to_one=False),
    "scaled_linear_wide_clip": dict(beta_schedule="scaled_linear", beta_start=0.00085,
                                    beta_end=0.012, clip_sample_range=2.0),
    "no_clip": dict(clip_sample=False, prediction_type="v_prediction"),
    "thresholding": dict(thresholding=True, sample_max_value=1.5, dynamic_thresholding_ratio=0.9),
    "zero_snr": dict(rescale_betas_zero_snr=True, prediction_type="v_prediction",
                     timestep_spacing="trailing"),
    "trained_betas": dict(trained_betas=[0.001 * (i + 1) for i in range(100)],
                          num_train_timesteps=100),
}


@pytest.fixture(scope="module")
def unet():
    torch.manual_seed(0)
    return UNet2DModel(sample_size=SIDE, in_channels=1, out_channels=1, block_out_channels=(16, 32),
                       norm_num_groups=8, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
                       up_block_types=("AttnUpBlock2D", "UpBlock2D")).eval()


@pytest.fixture
def noise(tmp_path):
    noise = torch.randn(COUNT, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(7))
    save_file({"noise": noise}, tmp_path / "noise.safetensors")
    return noise


def denoise(unet, scheduler, noise, steps):
    scheduler.set_timesteps(steps)
    sample = noise
    with torch.no_grad():
        for t in scheduler.timesteps:
            sample = scheduler.step(unet(sample, t).sample, t, sample).prev_sample
    return sample


def sample(model, output, noise_file, *more):
    run(["sample", "--model", model, "--output", output, "--count", COUNT, "--noise", noise_file,
         *more])
    return load_file(output / "samples.safetensors")["samples"]


@pytest.mark.parametrize("name", SCHEDULERS)
def test_ddim_equals_diffusers(name, unet, noise, tmp_path):
    scheduler = DDIMScheduler(**SCHEDULERS[name])
    DDIMPipeline(unet, scheduler).save_pretrained(tmp_path / "model")
    ours = sample(tmp_path / "model", tmp_path / "out", tmp_path / "noise.safetensors",
                  "--sampler", "ddim", "--steps", 10)
    theirs = denoise(unet, scheduler, noise, 10)
    assert (ours - theirs).abs().max() <= 1e-3 * max(1, theirs.abs().max())


def test_ddim_on_a_folder_with_another_scheduler_is_from_config(unet, noise, tmp_path):
    scheduler = DDPMScheduler(prediction_type="v_prediction", timestep_spacing="trailing",
                              clip_sample_range=1.5)
    DDPMPipeline(unet, scheduler).save_pretrained(tmp_path / "model")
    ours = sample(tmp_path / "model", tmp_path / "out", tmp_path / "noise.safetensors",
                  "--sampler", "ddim", "--steps", 7)
    theirs = denoise(unet, DDIMScheduler.from_config(scheduler.config), noise, 7)
    assert (ours - theirs).abs().max() <= 1e-3 * max(1, theirs.abs().max())


# The noise of the stochastic sampler cannot be the same in both; with one step none is drawn.
@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large"])
def test_ddpm_mean_equals_diffusers(variance, unet, noise, tmp_path):
    scheduler = DDPMScheduler(variance_type=variance)
    DDPMPipeline(unet, scheduler).save_pretrained(tmp_path / "model")
    ours = sample(tmp_path / "model", tmp_path / "out", tmp_path / "noise.safetensors",
                  "--sampler", "ddpm", "--steps", 1)
    theirs = denoise(unet, scheduler, noise, 1)
    assert (ours - theirs).abs().max() <= 1e-3


def test_first_samples_do_not_depend_on_count_or_ranks(unet, tmp_path):
    DDIMPipeline(unet, DDIMScheduler()).save_pretrained(tmp_path / "model")
    results = []
    for name, count, ranks in (("few", 5, 0), ("many", 40, 0), ("ranks", 40, 2)):
        run(["sample", "--model", tmp_path / "model", "--output", tmp_path / name, "--count", count,
             "--steps", 3, "--sampler", "ddpm"], ranks=ranks)
        results.append(load_file(tmp_path / name / "samples.safetensors")["samples"])
        assert len(list((tmp_path / name).glob("0*.png"))) == count
    assert torch.equal(results[0], results[1][:5])
    assert torch.equal(results[1], results[2])
