"""Each kind of network through the whole program: trained, resumed, exported, read back, sampled.

What diffusers has a class for must load there and give what parity.safetensors says.
"""
import json

import numpy as np
import pytest
import torch
from conftest import TINY_CONFIG, digest, run, train_arguments
from diffusers import DDPMPipeline, DiTTransformer2DModel, UNet2DModel
from safetensors.torch import load_file

BODY = TINY_CONFIG[TINY_CONFIG.index("diffusion"):].replace("total_images: 640", "total_images: 64")
MODELS = {
    "unet": """model { unet {
      in_channels: 1 out_channels: 1 block_out_channels: [16, 32] layers_per_block: 1 norm_num_groups: 8
      down_block_types: ["DownBlock2D", "AttnDownBlock2D"] up_block_types: ["AttnUpBlock2D", "UpBlock2D"]
      num_class_embeds: 3 } label_dropout: 0.2 augment_dim: 9 }""",
    "dit": """model { dit { num_attention_heads: 2 attention_head_dim: 16 in_channels: 1 num_layers: 2
      num_embeds_ada_norm: 3 } label_dropout: 0.2 }""",
    "edm2_unet": """model { edm2_unet { in_channels: 1 model_channels: 16 channel_mult: [1, 2] num_blocks: 1
      attention_levels: [1] channels_per_head: 16 num_classes: 3 time_scale: 0.002 } label_dropout: 0.2 }""",
}
CLASSES = {"unet": "UNet2DModel", "dit": "DiTTransformer2DModel", "edm2_unet": "LangevinEdm2UNet"}


def write_config(folder, family):
    body = BODY
    if family == "unet":
        body = body.replace("augment {", "augment { edm { probability: 0.2 }")
    path = folder / f"{family}.textproto"
    path.write_text("seed: 5\n" + MODELS[family] + body)
    return path


@pytest.fixture(scope="module", params=MODELS)
def trained(request, dataset, tmp_path_factory):
    """(family, config, run folder) of a run of a few steps."""
    folder = tmp_path_factory.mktemp(request.param)
    config = write_config(folder, request.param)
    process = run(train_arguments(config, dataset, folder / "run"))
    assert CLASSES[request.param] in process.stderr
    return request.param, config, folder / "run"


def test_resumes_on_two_ranks_bit_for_bit(trained, dataset, tmp_path):
    family, config, finished = trained
    half = train_arguments(config, dataset, tmp_path / "run", "--set", "train.total_images=32")
    run(half)
    run(train_arguments(config, dataset, tmp_path / "run", "--set", "distributed.zero_stage=1"), ranks=2)
    assert digest(tmp_path / "run") == digest(finished)


def test_trains_in_bf16(trained, dataset, tmp_path):
    _, config, _ = trained
    run(train_arguments(config, dataset, tmp_path / "run", "--set", "train.precision=BF16"))


def test_exports_what_it_trained(trained, tmp_path):
    family, _, run_folder = trained
    model = tmp_path / "model"
    run(["export", "--run", run_folder, "--output", model])
    facts = json.loads((model / "langevin.json").read_text())
    assert (facts["label_dropout"], facts["null_class"]) == ("0.2", "3")
    shown = run(["inspect", model]).stdout
    assert CLASSES[family] in shown and "3 and the null label" in shown

    # The run and its export are the same model.
    for name, source in {"of_run": run_folder, "of_model": model}.items():
        run(["sample", "--model", source, "--output", tmp_path / name, "--count", "3", "--steps", "2"])
    samples = [load_file(tmp_path / name / "samples.safetensors")["samples"] for name in ("of_run", "of_model")]
    assert samples[0].shape == (3, 1, 8, 8) and torch.isfinite(samples[0]).all()
    assert torch.equal(*samples)
    process = run(["sample", "--model", model, "--output", tmp_path / "x", "--class", "3"], check=False)
    assert process.returncode == 3 and "from 0 to 2" in process.stderr  # Not the null label.

    if family == "edm2_unet":
        assert json.loads((model / "unet/config.json").read_text())["_class_name"] == CLASSES[family]
        return
    parity = load_file(model / "parity.safetensors")
    if family == "unet":
        network = UNet2DModel.from_pretrained(model / "unet")
        assert network.config.num_class_embeds == 4
        assert isinstance(DDPMPipeline.from_pretrained(model).unet, UNet2DModel)
    else:
        network = DiTTransformer2DModel.from_pretrained(model / "transformer")
    ours = load_file(model / f"{'unet' if family == 'unet' else 'transformer'}/diffusion_pytorch_model.safetensors")
    assert ours.keys() == network.state_dict().keys()
    with torch.no_grad():
        output = network.eval()(parity["sample"], parity["timestep"], parity["class_labels"]).sample
    np.testing.assert_allclose(output.numpy(), parity["output"].numpy(), atol=1e-4)


def test_fine_tunes_its_export(trained, dataset, tmp_path):
    family, config, run_folder = trained
    run(["export", "--run", run_folder, "--output", tmp_path / "model", "--weights", "raw"])
    bare = tmp_path / "finetune.textproto"
    bare.write_text(BODY[BODY.index("optimizer"):].replace("1e-3", "0"))
    run(train_arguments(bare, dataset, tmp_path / "run", "--init", tmp_path / "model"))
    run(["export", "--run", tmp_path / "run", "--output", tmp_path / "again", "--weights", "raw"])
    if family != "edm2_unet":  # Whose weights are normalised again.
        assert digest(tmp_path / "again") == digest(tmp_path / "model")
    # With the model in the config, too; what is not the folder's is refused.
    run(train_arguments(config, dataset, tmp_path / "other", "--init", tmp_path / "model", "--dry_run"))
    process = run(train_arguments(config, dataset, tmp_path / "other", "--init", tmp_path / "model",
                                  "--dry_run", "--set", "model.label_dropout=0",
                                  "--set", f"model.{family}.dropout=0.5"), check=False)
    assert process.returncode == 3 and "differs from this folder's" in process.stderr


def test_ncsnpp_comes_in_and_goes_out(tmp_path):
    """A diffusers model of Skip blocks, trained with learning rate 0, is exported as what it was."""
    torch.manual_seed(0)
    model = UNet2DModel(sample_size=8, block_out_channels=(32, 32), layers_per_block=1, norm_num_groups=None,
                        mid_block_scale_factor=1.41421356, norm_eps=1e-6,
                        down_block_types=("AttnSkipDownBlock2D", "SkipDownBlock2D"),
                        up_block_types=("SkipUpBlock2D", "AttnSkipUpBlock2D"))
    model.save_pretrained(tmp_path / "model")
    np.save(tmp_path / "images.npy", np.random.default_rng(0).integers(0, 256, (32, 8, 8, 3), dtype=np.uint8))
    run(["prepare", "--input", tmp_path / "images.npy", "--output", tmp_path / "data"])
    config = tmp_path / "finetune.textproto"
    config.write_text(BODY[BODY.index("optimizer"):].replace("1e-3", "0"))
    run(train_arguments(config, tmp_path / "data", tmp_path / "run", "--init", tmp_path / "model"))
    run(["export", "--run", tmp_path / "run", "--output", tmp_path / "out"])
    assert digest(tmp_path / "out") == digest(tmp_path / "model")
    back = UNet2DModel.from_pretrained(str(tmp_path / "out" / "unet")).eval()
    parity = load_file(tmp_path / "out" / "parity.safetensors")
    for network in (model.eval(), back):
        with torch.no_grad():
            output = network(parity["sample"], parity["timestep"]).sample
        np.testing.assert_allclose(output.numpy(), parity["output"].numpy(), atol=1e-4)
    # And trains from the beginning, in bf16 too.
    run(train_arguments(config, tmp_path / "data", tmp_path / "new", "--init", tmp_path / "model",
                        "--set", "train.precision=BF16", "--set", "optimizer.learning_rate=1e-4"))


def test_learned_variance_is_looked_at_and_sampled(tmp_path):
    DiTTransformer2DModel(num_attention_heads=1, attention_head_dim=8, in_channels=1, out_channels=2, num_layers=1,
                          sample_size=8, num_embeds_ada_norm=3).save_pretrained(tmp_path / "model")
    assert "3 and the null label" in run(["inspect", tmp_path / "model"]).stdout
    run(["sample", "--model", tmp_path / "model", "--output", tmp_path / "x", "--count", 2, "--steps", 2])
    assert load_file(tmp_path / "x" / "samples.safetensors")["samples"].shape == (2, 1, 8, 8)


BAD = {
    "model.dit.patch_size=3": ["model.dit.sample_size", "8", "patch_size"],
    "model.dit.num_embeds_ada_norm=2": ["model.dit", "2 classes", "3 classes"],
    "model.dit.out_channels=2": ["model.dit.out_channels", "2", "in_channels"],
    "model.dit.attention_head_dim=3": ["attention_head_dim", "3", "multiple of 4"],
    "model.dit.activation_fn=swiglu": ["activation_fn", "swiglu", "gelu-approximate or gelu"],
    "model.augment_dim=9": ["model.augment_dim", "unet alone"],
    "model.label_dropout=1": ["model.label_dropout", "1", "below 1"],
}


@pytest.mark.parametrize("change", BAD)
def test_says_what_is_wrong(change, dataset, tmp_path):
    config = write_config(tmp_path, "dit")
    process = run(train_arguments(config, dataset, tmp_path / "run", "--set", change, "--dry_run"), check=False)
    assert process.returncode == 3
    for word in BAD[change]:
        assert word in process.stderr, process.stderr
    assert not (tmp_path / "run").exists()


def test_bf16_slices_and_normalised_weights_exclude_each_other(dataset, tmp_path):
    config = write_config(tmp_path, "edm2_unet")
    process = run(train_arguments(config, dataset, tmp_path / "run", "--set", "train.precision=BF16",
                                  "--set", "distributed.zero_stage=1", "--dry_run"), check=False)
    assert process.returncode == 3 and "distributed.zero_stage" in process.stderr


@pytest.mark.parametrize("ranks, stage", [(1, 0), (2, 1)])
def test_updates_leave_weights_normalised(ranks, stage, dataset, tmp_path):
    config = write_config(tmp_path, "edm2_unet")
    run(train_arguments(config, dataset, tmp_path / "run", "--set", "optimizer.learning_rate=0.1",
                        "--set", f"distributed.zero_stage={stage}"), ranks=ranks)
    run(["export", "--run", tmp_path / "run", "--output", tmp_path / "model", "--weights", "raw"])
    weights = load_file(tmp_path / "model" / "unet" / "diffusion_pytorch_model.safetensors")
    rows = torch.cat([w.flatten(1).square().mean(1).sqrt() for w in weights.values() if w.ndim > 1])
    assert len(rows) > 500 and (rows - 1).abs().max() < 1e-3


def test_benches_each_class(trained, tmp_path):
    family, _, run_folder = trained
    run(["export", "--run", run_folder, "--output", tmp_path / "model"])
    part = "transformer" if family == "dit" else "unet"
    process = run(["bench", "step", "--unet", tmp_path / "model" / part / "config.json", "--batch", "2",
                   "--steps", "1", "--work", tmp_path])
    assert json.loads(process.stdout)["parameters"] > 0
