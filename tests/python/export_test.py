"""A run's export in diffusers, and a diffusers folder as the beginning of a run."""
import json

import numpy as np
import pytest
import torch
from conftest import digest, run, train_arguments
from diffusers import DDIMPipeline, DDPMPipeline, UNet2DModel
from PIL import Image
from safetensors.torch import load_file, save_file


def export(run_folder, output, *more):
    run(["export", "--run", run_folder, "--output", output, *more])
    return output


@pytest.fixture(scope="module")
def finished_run(dataset, tmp_path_factory):
    from conftest import TINY_CONFIG
    folder = tmp_path_factory.mktemp("run")
    (folder / "c.textproto").write_text(TINY_CONFIG)
    run(train_arguments(folder / "c.textproto", dataset, folder / "run",
                        "--set", "train.total_images=128"))
    return folder / "run"


@pytest.mark.parametrize("weights", ["ema", "raw"])
def test_diffusers_loads_the_export_and_gives_the_same_outputs(finished_run, tmp_path, weights):
    folder = export(finished_run, tmp_path / "export", "--weights", weights)
    unet, info = UNet2DModel.from_pretrained(folder / "unet", output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"] and not info["mismatched_keys"]
    parity = load_file(folder / "parity.safetensors")
    with torch.no_grad():
        theirs = unet(parity["sample"], parity["timestep"]).sample
    assert (theirs - parity["output"]).abs().max() <= 1e-4 * theirs.abs().max()
    facts = json.loads((folder / "langevin.json").read_text())
    assert facts["weights"] == weights and facts["images_seen"] == "128"


def test_pipelines_sample_the_export(finished_run, tmp_path):
    for name, pipeline_class in (("ddpm", DDPMPipeline), ("ddim", DDIMPipeline)):
        folder = export(finished_run, tmp_path / name, "--sampler", name)
        pipeline = pipeline_class.from_pretrained(folder)
        pipeline.set_progress_bar_config(disable=True)
        images = pipeline(batch_size=2, num_inference_steps=2, output_type="np").images
        assert images.shape == (2, 8, 8, 1)


def test_the_run_and_its_export_sample_the_same(finished_run, tmp_path):
    export(finished_run, tmp_path / "export")
    for name, model in (("a", finished_run), ("b", tmp_path / "export")):
        run(["sample", "--model", model, "--output", tmp_path / name, "--count", 2, "--steps", 4])
    a, b = (load_file(tmp_path / n / "samples.safetensors")["samples"] for n in "ab")
    assert torch.equal(a, b)
    grid = np.asarray(Image.open(tmp_path / "a" / "grid.png"))
    assert grid.shape == (8, 18)  # Two tiles with two pixels between.
    expected = np.clip(np.rint((a[0, 0].numpy() / 2 + 0.5) * 255), 0, 255)
    assert np.array_equal(grid[:, :8], expected)
    assert np.array_equal(np.asarray(Image.open(tmp_path / "a" / "000000.png")), grid[:, :8])


def test_init_takes_any_diffusers_folder_and_gives_it_back(dataset, tmp_path):
    torch.manual_seed(3)
    model = UNet2DModel(sample_size=8, in_channels=1, out_channels=1, block_out_channels=(16, 32),
                        norm_num_groups=8, down_block_types=("DownBlock2D", "AttnDownBlock2D"),
                        up_block_types=("AttnUpBlock2D", "UpBlock2D"))
    model.save_pretrained(tmp_path / "model")
    (tmp_path / "c.textproto").write_text(
        "train { total_images: 16 global_batch: 16 microbatch: 8 } optimizer { learning_rate: 0 }")
    run(train_arguments(tmp_path / "c.textproto", dataset, tmp_path / "run", "--init",
                        tmp_path / "model"))
    for weights in ("ema", "raw"):
        export(tmp_path / "run", tmp_path / weights, "--weights", weights)
        exported = load_file(tmp_path / weights / "unet" / "diffusion_pytorch_model.safetensors")
        assert exported.keys() == model.state_dict().keys()
        for name, tensor in model.state_dict().items():
            assert torch.equal(exported[name], tensor), name
    assert digest(tmp_path / "model") == digest(tmp_path / "raw")


def test_class_conditional_models_round_trip(dataset, tmp_path, config):
    run(train_arguments(config, dataset, tmp_path / "run", "--set", "train.total_images=16",
                        "--set", "model.unet.num_class_embeds=3"))
    folder = export(tmp_path / "run", tmp_path / "export")
    parity = load_file(folder / "parity.safetensors")
    pipeline = DDPMPipeline.from_pretrained(folder)
    with torch.no_grad():
        theirs = pipeline.unet(parity["sample"], parity["timestep"], parity["class_labels"]).sample
    assert (theirs - parity["output"]).abs().max() <= 1e-4 * theirs.abs().max()
    run(["sample", "--model", folder, "--output", tmp_path / "s", "--count", 1, "--steps", 2,
         "--class", 2])


@pytest.fixture
def model_folder(tmp_path):
    model = UNet2DModel(sample_size=8, in_channels=1, out_channels=1, block_out_channels=(16, 32),
                        norm_num_groups=8, down_block_types=("DownBlock2D", "DownBlock2D"),
                        up_block_types=("UpBlock2D", "UpBlock2D"))
    model.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def spoil_missing(weights):
    tensors = load_file(weights)
    del tensors["conv_in.bias"]
    save_file(tensors, weights)


def spoil_shape(weights):
    tensors = load_file(weights)
    tensors["conv_in.bias"] = tensors["conv_in.bias"][:-1].clone()
    save_file(tensors, weights)


def spoil_extra(weights):
    tensors = load_file(weights)
    tensors["surprise"] = torch.zeros(2)
    save_file(tensors, weights)


def spoil_not_finite(weights):
    tensors = load_file(weights)
    tensors["conv_in.bias"][0] = float("nan")
    save_file(tensors, weights)


def spoil_truncated(weights):
    data = weights.read_bytes()
    weights.write_bytes(data[:len(data) // 2])


def spoil_header_length(weights):
    data = weights.read_bytes()
    weights.write_bytes((2**62).to_bytes(8, "little") + data[8:])


def spoil_link(weights):
    weights.rename(weights.with_suffix(".real"))
    weights.symlink_to(weights.with_suffix(".real"))


@pytest.mark.parametrize("spoil, code, words", [
    (spoil_missing, 4, ["1 missing (conv_in.bias)"]),
    (spoil_shape, 4, ["conv_in.bias is F32 [15], needed [16]"]),
    (spoil_extra, 4, ["surprise"]),
    (spoil_not_finite, 4, ["conv_in.bias", "not finite"]),
    (spoil_truncated, 4, []),
    (spoil_header_length, 4, []),
    (spoil_link, 4, ["link"]),
])
def test_weights_that_do_not_fit_are_refused(model_folder, dataset, tmp_path, spoil, code, words):
    weights = model_folder / "diffusion_pytorch_model.safetensors"
    spoil(weights)
    (tmp_path / "c.textproto").write_text("train { total_images: 16 global_batch: 16 microbatch: 8 }")
    process = run(train_arguments(tmp_path / "c.textproto", dataset, tmp_path / "run", "--init",
                                  model_folder), check=False)
    assert process.returncode == code, process.stderr
    errors = [line for line in process.stderr.splitlines() if "error" in line]
    assert len(errors) == 1 and str(weights) in errors[0], process.stderr
    for word in words:
        assert word in errors[0]
    assert not list(tmp_path.glob("run/checkpoints/*"))


@pytest.mark.parametrize("change, words", [
    (lambda c: c.update(block_out_channels=[16, 33]), ["block_out_channels"]),
    (lambda c: c.update(down_block_types=["MagicBlock", "DownBlock2D"]), ["MagicBlock"]),
    (lambda c: c.update(norm_num_groups="eight"), ["norm_num_groups"]),
    (lambda c: c.update(unheard_of=1), ["unheard_of"]),
])
def test_impossible_config_json_is_refused(model_folder, dataset, tmp_path, change, words):
    path = model_folder / "config.json"
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))
    (tmp_path / "c.textproto").write_text("train { total_images: 16 global_batch: 16 microbatch: 8 }")
    process = run(train_arguments(tmp_path / "c.textproto", dataset, tmp_path / "run", "--init",
                                  model_folder), check=False)
    assert process.returncode == 3, process.stderr
    assert "config.json" in process.stderr
    for word in words:
        assert word in process.stderr
    assert not (tmp_path / "run").exists()
