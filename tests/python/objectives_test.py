"""Objectives that need more than an image and its noise: losses by which steps are drawn, the uncertainty that
is learned beside the network, the network's own estimate. Ranks, slices and kills must not change a bit of them."""
import json

import numpy as np
import pytest
import torch
from conftest import (TINY_CONFIG, digest, kill_group, newest_images_seen, run, train_arguments, wait_until)
from diffusers import UNet2DModel
from resume_test import metrics, start
from safetensors.numpy import load_file

STEPS = 8
DIFFUSIONS = {
    "bound": f"ddpm {{ variance: LEARNED_RANGE num_train_timesteps: {STEPS} }} loss {{ weighting: LIKELIHOOD }} "
             "times { distribution: IMPORTANCE }",
    "uncertainty": "edm { sigma_max: 20 } loss { uncertainty: true }",
    "self_conditioning": "ddpm { prediction: V_PREDICTION }",
}


@pytest.fixture(scope="module", params=DIFFUSIONS)
def whole(request, dataset, tmp_path_factory):
    """(name, config, run folder) of a run that nothing interrupted."""
    folder = tmp_path_factory.mktemp(request.param)
    config = folder / "config.textproto"
    text = TINY_CONFIG.replace("ddpm {}", DIFFUSIONS[request.param]).replace("total_images: 640", "total_images: 480")
    if request.param == "bound":
        text = text.replace("out_channels: 1\n", "out_channels: 2\n")
    if request.param == "self_conditioning":
        text = text.replace("in_channels: 1 ", "in_channels: 2 ").replace(
            "} }\ndiffusion", "} self_conditioning: true }\ndiffusion")
    config.write_text(text)
    run(train_arguments(config, dataset, folder / "run"))
    return request.param, config, folder / "run"


def checkpoint_tensors(run_folder):
    newest = run_folder / "checkpoints" / f"images-{newest_images_seen(run_folder):012}"
    return {name: tensor for shard in newest.glob("*.safetensors") for name, tensor in load_file(shard).items()}


def test_two_ranks_with_slices_and_a_kill_give_the_same_run(whole, dataset, tmp_path):
    _, config, finished = whole
    output = tmp_path / "run"
    arguments = train_arguments(config, dataset, output, "--set", "distributed.zero_stage=1")
    # Once while the history fills, once when it is full.
    for images, ranks in [(64, 2), (256, 4)]:
        process = start(arguments, ranks)
        wait_until(lambda: newest_images_seen(output) >= images or process.poll() is not None)
        kill_group(process)
        assert newest_images_seen(output) < 480
    run(arguments, ranks=2)
    assert digest(output) == digest(finished)
    assert metrics(output) == metrics(finished)


def test_what_is_carried_is_in_the_checkpoint(whole):
    name, _, run_folder = whole
    tensors = checkpoint_tensors(run_folder)
    losses = [json.loads(line)["loss"] for line in (run_folder / "metrics.jsonl").read_text().splitlines()]
    assert np.isfinite(losses).all() and losses[-1] < losses[0]
    if name == "bound":
        history = tensors["loss_history"]
        assert history.shape == (STEPS, 10) and np.isfinite(history).all()
        # The first step's term is by far the largest, so that it is drawn far more often.
        root_mean_squares = np.sqrt(np.square(history.astype(float)).mean(1))
        assert root_mean_squares[0] > 2 * np.median(root_mean_squares)
        return
    assert "loss_history" not in tensors
    if name == "self_conditioning":
        # Something was learned of the estimate.
        assert tensors["model.conv_in.weight"].shape[1] == 2
        assert np.abs(tensors["exp_avg.conv_in.weight"][:, 1]).max() > 0
        return
    parts = {tensor for tensor in tensors if ".uncertainty." in tensor}
    assert {part.split(".")[0] for part in parts} == {"model", "ema", "exp_avg", "exp_avg_sq"}
    assert np.abs(tensors["model.uncertainty.linear.weight"]).max() > 0


def test_exports_know_nothing_of_it(whole, dataset, tmp_path):
    name, config, run_folder = whole
    run(["export", "--run", run_folder, "--output", tmp_path / "model"])
    weights = load_file(tmp_path / "model" / "unet" / "diffusion_pytorch_model.safetensors")
    ours = {tensor[4:] for tensor in checkpoint_tensors(run_folder) if tensor.startswith("ema.")}
    assert weights.keys() == {tensor for tensor in ours if not tensor.startswith("uncertainty")}
    for source in (run_folder, tmp_path / "model"):
        run(["sample", "--model", source, "--output", tmp_path / f"of_{source.name}", "--count", "2", "--steps", "3"])
    samples = [load_file(tmp_path / of / "samples.safetensors")["samples"] for of in ("of_run", "of_model")]
    assert np.isfinite(samples[0]).all() and np.array_equal(*samples)
    if name == "self_conditioning":
        assert json.loads((tmp_path / "model" / "langevin.json").read_text())["self_conditioning"] == "true"
        assert "8 x 8 x 1" in run(["inspect", tmp_path / "model"]).stdout
        # It is what diffusers takes it for: a network of two channels, which gives one.
        parity = load_file(tmp_path / "model" / "parity.safetensors")
        network = UNet2DModel.from_pretrained(tmp_path / "model" / "unet").eval()
        with torch.no_grad():
            output = network(torch.tensor(parity["sample"]), torch.tensor(parity["timestep"])).sample
        assert parity["sample"].shape[1] == 2
        np.testing.assert_allclose(output.numpy(), parity["output"], atol=1e-4)
    # And a run may begin with such a folder, and learn it anew.
    run(train_arguments(config, dataset, tmp_path / "tuned", "--init", tmp_path / "model", "--set",
                        "train.total_images=32", "--set", "train.precision=BF16"))
    if name == "uncertainty":
        assert np.abs(checkpoint_tensors(tmp_path / "tuned")["model.uncertainty.fourier.frequencies"]).max() > 0


def test_a_dit_sees_its_estimate_too(dataset, tmp_path):
    config = tmp_path / "config.textproto"
    config.write_text("""seed: 5 model { dit { num_attention_heads: 2 attention_head_dim: 16 in_channels: 2
      out_channels: 1 num_layers: 1 num_embeds_ada_norm: 3 } label_dropout: 0.2 self_conditioning: true }"""
                      + TINY_CONFIG[TINY_CONFIG.index("\ndiffusion"):].replace("total_images: 640", "total_images: 32"))
    run(train_arguments(config, dataset, tmp_path / "run"))
    run(["export", "--run", tmp_path / "run", "--output", tmp_path / "model"])
    run(["sample", "--model", tmp_path / "model", "--output", tmp_path / "samples", "--count", "2", "--steps", "3",
         "--class", "1", "--guidance", "2"])
    samples = load_file(tmp_path / "samples" / "samples.safetensors")["samples"]
    assert samples.shape == (2, 1, 8, 8) and np.isfinite(samples).all()
