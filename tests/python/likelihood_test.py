"""bits_per_dim against closed forms: networks that predict nothing are optimal for Gaussian data.

A UNet whose last layer is zero gives 0. Under EDM's preconditioning that is the best denoiser of
N(0, sigma_data^2), whose density is known; with v prediction it is that of N(0, 1).
"""
import json

import numpy as np
import pytest
import torch
from conftest import make_idx_folder, run
from diffusers import (DDIMPipeline, DDIMScheduler, DDPMPipeline, DDPMScheduler, EDMEulerScheduler,
                       FlowMatchEulerDiscreteScheduler, UNet2DModel)
from scipy.stats import norm

SIDE, IMAGES, WIDTH = 8, 10, 2 / 255


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """(folder of models, data set, held-out images in the model's range)."""
    folder = tmp_path_factory.mktemp("likelihood")
    images, _ = make_idx_folder(folder / "source")
    run(["prepare", "--input", folder / "source", "--output", folder / "data"])
    unet = UNet2DModel(sample_size=SIDE, in_channels=1, out_channels=1, block_out_channels=(8, 8),
                       norm_num_groups=4, layers_per_block=1,
                       down_block_types=("DownBlock2D", "DownBlock2D"),
                       up_block_types=("UpBlock2D", "UpBlock2D"))
    torch.nn.init.zeros_(unet.conv_out.weight)
    torch.nn.init.zeros_(unet.conv_out.bias)
    DDIMPipeline(unet, DDIMScheduler(prediction_type="v_prediction", clip_sample=False)).save_pretrained(
        folder / "v")
    for name, scheduler in (("edm", EDMEulerScheduler(sigma_data=0.6)),
                            ("flow", FlowMatchEulerDiscreteScheduler())):
        DDPMPipeline(unet, DDPMScheduler()).save_pretrained(folder / name)
        scheduler.save_pretrained(folder / name / "scheduler")
    return folder, folder / "data", images[:IMAGES, None] / 127.5 - 1


def evaluate(world, model, output, *more, ranks=0, **how):
    folder, data, _ = world
    process = run(["evaluate", "--model", folder / model, "--data", data, "--metrics", "bits_per_dim",
                   "--likelihood_images", IMAGES, "--count", 4, "--steps", 1, "--output", output, *more],
                  ranks=ranks, **how)
    if process.returncode != 0:
        return process
    return json.loads((output / "metrics.json").read_text())


def test_flow_gives_the_density_of_gaussian_data(world, tmp_path):
    found = evaluate(world, "edm", tmp_path / "out")
    assert found["likelihood"]["method"] == "flow" and found["likelihood"]["images"] == IMAGES
    images = world[2]
    # Levels are spread over their width, and the flow begins at sigma 1e-3.
    square = images ** 2 + WIDTH ** 2 / 12
    variance = 0.6 ** 2
    nats = 0.5 * square / variance + 0.5 * np.log(2 * np.pi * variance)
    expected = nats.mean() / np.log(2) - np.log2(WIDTH)
    value = found["metrics"]["bits_per_dim"]
    assert abs(value["value"] - expected) < 2e-3, (value, expected)
    by_image = nats.mean((1, 2, 3)) / np.log(2)
    # In the order in which the seed chose the images, here all.
    np.testing.assert_allclose(np.sort(found["likelihood"]["by_image"]), np.sort(by_image) - np.log2(WIDTH),
                               atol=5e-3)
    error = 1.96 * by_image.std(ddof=1) / IMAGES ** 0.5
    assert abs((value["high"] - value["low"]) / 2 - error) < 0.02 * error + 1e-4


def bound_in_numpy(images, rng):
    """The variational bound of N(0, 1)'s optimal model, by its definition, with noise of its own."""
    betas = np.linspace(1e-4, 0.02, 1000)
    cumulative = np.cumprod(1 - betas)
    previous = np.append(1, cumulative[:-1])
    nats = np.zeros(images.shape)
    for t in range(1000):
        a, s = np.sqrt(cumulative[t]), np.sqrt(1 - cumulative[t])
        x = a * images + s * rng.standard_normal(images.shape)
        original = a * x
        of_original = betas[t] * np.sqrt(previous[t]) / (1 - cumulative[t])
        of_x = (1 - previous[t]) * np.sqrt(1 - betas[t]) / (1 - cumulative[t])
        mean = of_original * original + of_x * x
        k = max(t, 1)
        deviation = np.sqrt(betas[k] * (1 - previous[k]) / (1 - cumulative[k]))
        if t == 0:
            low = np.where(images < -0.999, -np.inf, images - WIDTH / 2)
            high = np.where(images > 0.999, np.inf, images + WIDTH / 2)
            nats -= np.log(np.maximum(
                norm.cdf(high, mean, deviation) - norm.cdf(low, mean, deviation), 1e-12))
        else:
            nats += 0.5 * ((of_original * images + of_x * x - mean) / deviation) ** 2
    nats += 0.5 * (cumulative[-1] * images ** 2 - cumulative[-1] - np.log(1 - cumulative[-1]))
    return nats.mean() / np.log(2)


def test_bound_is_its_definition(world, tmp_path):
    found = evaluate(world, "v", tmp_path / "out")
    value = found["metrics"]["bits_per_dim"]["value"]
    rng = np.random.default_rng(0)
    expected = [bound_in_numpy(world[2], rng) for _ in range(4)]
    assert abs(value - np.mean(expected)) < 0.02 * value, (value, expected)
    assert found["likelihood"]["method"] == "bound"
    parts = [*found["likelihood"]["by_time"], found["likelihood"]["prior"]]
    assert len(parts) == 11 and abs(sum(parts) - value) < 1e-6 * value

    some = evaluate(world, "v", tmp_path / "some", "--likelihood_terms", 100)
    assert abs(some["metrics"]["bits_per_dim"]["value"] - value) < 0.05 * value
    # A model with time steps has a flow, too, which is not a bound: less is lost.
    flow = evaluate(world, "v", tmp_path / "flow", "--likelihood", "flow")
    assert flow["metrics"]["bits_per_dim"]["value"] < value


def test_ranks_and_repetition_change_nothing(world, tmp_path):
    for model in ("v", "flow"):
        one = evaluate(world, model, tmp_path / f"{model}-1", "--likelihood_terms", 20)
        two = evaluate(world, model, tmp_path / f"{model}-2", "--likelihood_terms", 20, ranks=2)
        assert one == two


def test_what_cannot_be_is_refused(world, tmp_path):
    process = evaluate(world, "edm", tmp_path / "out", "--likelihood", "bound", check=False)
    assert process.returncode == 3 and "continuous time" in process.stderr
    folder, data, _ = world
    run(["sample", "--model", folder / "v", "--output", tmp_path / "samples", "--count", 2, "--steps", 1])
    process = run(["evaluate", "--samples", tmp_path / "samples", "--data", data, "--metrics",
                   "bits_per_dim", "--output", tmp_path / "out"], check=False)
    assert process.returncode == 3 and "--model in place of --samples" in process.stderr
    assert not (tmp_path / "out").exists()
