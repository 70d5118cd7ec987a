"""UNet2DModel of Langevin against diffusers' own, on random configurations spread over all options.

diffusers makes and saves each model; the same inputs go through both. The largest difference is at most
1e-4 of the output's largest value.
"""
import os
import subprocess

import pytest
import torch
from conftest import ENVIRONMENT
from diffusers import UNet2DModel
from safetensors.torch import load_file, save_file

UNET_FORWARD = os.environ["LANGEVIN_UNET_FORWARD"]

DOWN, ATTN_DOWN, RESNET_DOWN = "DownBlock2D", "AttnDownBlock2D", "ResnetDownsampleBlock2D"
UP, ATTN_UP, RESNET_UP = "UpBlock2D", "AttnUpBlock2D", "ResnetUpsampleBlock2D"
SKIP_DOWN, ATTN_SKIP_DOWN = "SkipDownBlock2D", "AttnSkipDownBlock2D"
SKIP_UP, ATTN_SKIP_UP = "SkipUpBlock2D", "AttnSkipUpBlock2D"

CONFIGS = {
    "ddpm_cifar10": dict(
        sample_size=32, block_out_channels=(32, 64, 64, 64), attention_head_dim=None, norm_eps=1e-6,
        down_block_types=(DOWN, ATTN_DOWN, DOWN, DOWN), up_block_types=(UP, UP, ATTN_UP, UP),
        downsample_padding=0, flip_sin_to_cos=False, freq_shift=1),
    "quickstart": dict(
        sample_size=28, in_channels=1, out_channels=1, layers_per_block=1,
        block_out_channels=(32, 64, 64), norm_num_groups=8, attention_head_dim=32,
        down_block_types=(DOWN, DOWN, ATTN_DOWN), up_block_types=(ATTN_UP, UP, UP)),
    "all_defaults_but_width": dict(
        sample_size=16, block_out_channels=(32, 32, 64, 64)),
    "fourier": dict(
        sample_size=16, time_embedding_type="fourier", block_out_channels=(16, 32),
        norm_num_groups=8, down_block_types=(DOWN, ATTN_DOWN), up_block_types=(ATTN_UP, UP)),
    "learned_time": dict(
        sample_size=16, time_embedding_type="learned", num_train_timesteps=100,
        block_out_channels=(16, 32), norm_num_groups=8, down_block_types=(DOWN, ATTN_DOWN),
        up_block_types=(ATTN_UP, UP), time_embedding_dim=48),
    "scale_shift_resnet_resampling": dict(
        sample_size=16, resnet_time_scale_shift="scale_shift", block_out_channels=(16, 32, 48),
        norm_num_groups=8, down_block_types=(RESNET_DOWN, ATTN_DOWN, RESNET_DOWN),
        up_block_types=(RESNET_UP, ATTN_UP, RESNET_UP), downsample_type="resnet",
        upsample_type="resnet", attention_head_dim=16),
    "attn_norm_groups": dict(
        sample_size=16, resnet_time_scale_shift="scale_shift", attn_norm_num_groups=4,
        block_out_channels=(16, 32), norm_num_groups=16, down_block_types=(DOWN, ATTN_DOWN),
        up_block_types=(ATTN_UP, UP), mid_block_scale_factor=1.41421356, center_input_sample=True),
    "no_mid_attention": dict(
        sample_size=16, add_attention=False, block_out_channels=(16, 32), norm_num_groups=4,
        down_block_types=(DOWN, DOWN), up_block_types=(UP, UP), act_fn="gelu", layers_per_block=3),
    "no_mid_block": dict(
        sample_size=16, mid_block_type=None, block_out_channels=(16, 32), norm_num_groups=4,
        down_block_types=(DOWN, ATTN_DOWN), up_block_types=(ATTN_UP, UP), act_fn="mish"),
    "class_table": dict(
        sample_size=16, num_class_embeds=7, block_out_channels=(16, 32), norm_num_groups=8,
        down_block_types=(ATTN_DOWN, DOWN), up_block_types=(UP, ATTN_UP), act_fn="relu"),
    "class_timestep": dict(
        sample_size=16, class_embed_type="timestep", block_out_channels=(16, 32),
        norm_num_groups=8, down_block_types=(DOWN, ATTN_DOWN), up_block_types=(ATTN_UP, UP)),
    "class_identity": dict(
        sample_size=16, class_embed_type="identity", block_out_channels=(16, 32),
        norm_num_groups=8, down_block_types=(DOWN, ATTN_DOWN), up_block_types=(ATTN_UP, UP)),
    "odd_channels_not_square": dict(
        sample_size=(24, 16), in_channels=5, out_channels=2, block_out_channels=(18, 30, 42),
        norm_num_groups=6, attention_head_dim=3, layers_per_block=2, norm_eps=1e-3, dropout=0.3,
        down_block_types=(DOWN, ATTN_DOWN, ATTN_DOWN), up_block_types=(ATTN_UP, ATTN_UP, UP)),
    "one_block": dict(
        sample_size=9, in_channels=1, out_channels=1, block_out_channels=(12,), norm_num_groups=3,
        down_block_types=(ATTN_DOWN,), up_block_types=(ATTN_UP,), attention_head_dim=4),
    # The config of google/ncsnpp-ffhq-1024, narrower and with fewer blocks.
    "ncsnpp": dict(
        sample_size=16, time_embedding_type="fourier", freq_shift=None, flip_sin_to_cos=None,
        block_out_channels=(32, 64, 64), layers_per_block=1, mid_block_scale_factor=1.41421356,
        center_input_sample=False, norm_num_groups=None, norm_eps=1e-6, attention_head_dim=None,
        down_block_types=(SKIP_DOWN, ATTN_SKIP_DOWN, SKIP_DOWN),
        up_block_types=(SKIP_UP, ATTN_SKIP_UP, SKIP_UP)),
    "skip_plain": dict(
        sample_size=16, block_out_channels=(32, 64), norm_num_groups=8, center_input_sample=True,
        down_block_types=(SKIP_DOWN, SKIP_DOWN), up_block_types=(SKIP_UP, SKIP_UP)),
    "skip_attention_class_table": dict(
        sample_size=16, num_class_embeds=5, block_out_channels=(32, 64, 64), attention_head_dim=16,
        down_block_types=(ATTN_SKIP_DOWN, SKIP_DOWN, ATTN_SKIP_DOWN), act_fn="relu",
        up_block_types=(ATTN_SKIP_UP, SKIP_UP, ATTN_SKIP_UP)),
    # 9, 15, 16, 18, 24, 30, 31 and 32 groups; scale and shift.
    "skip_odd_groups_not_square": dict(
        sample_size=(24, 16), block_out_channels=(36, 60, 64), norm_num_groups=4, dropout=0.3,
        attention_head_dim=3, resnet_time_scale_shift="scale_shift", add_attention=False,
        down_block_types=(SKIP_DOWN, SKIP_DOWN, ATTN_SKIP_DOWN),
        up_block_types=(SKIP_UP, SKIP_UP, SKIP_UP)),
    "skip_and_others": dict(
        sample_size=16, time_embedding_type="fourier", block_out_channels=(32, 32, 64),
        down_block_types=(SKIP_DOWN, DOWN, ATTN_DOWN), up_block_types=(UP, ATTN_SKIP_UP, SKIP_UP)),
    "skip_up_only_at_the_end": dict(
        sample_size=16, in_channels=2, out_channels=2, block_out_channels=(32, 32),
        down_block_types=(DOWN, SKIP_DOWN), up_block_types=(UP, SKIP_UP)),
}


def make_model(name):
    torch.manual_seed(sum(map(ord, name)))
    model = UNet2DModel(**CONFIGS[name]).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "norm" in parameter_name:  # Ones and zeros would hide a mistake.
                parameter.add_(0.3 * torch.randn_like(parameter))
    return model


def make_inputs(model):
    config = model.config
    size = config.sample_size
    height, width = (size, size) if isinstance(size, int) else size
    inputs = {"sample": torch.randn(3, config.in_channels, height, width)}
    if config.time_embedding_type == "fourier":
        inputs["timestep"] = torch.tensor([0.01, 1.5, 80.0])
    elif config.time_embedding_type == "learned":
        inputs["timestep"] = torch.tensor([0.0, 42.0, 99.0])
    else:
        inputs["timestep"] = torch.tensor([0.0, 512.0, 999.0])
    if config.num_class_embeds is not None:
        inputs["class_labels"] = torch.tensor([0, 3, config.num_class_embeds - 1])
    elif config.class_embed_type == "timestep":
        inputs["class_labels"] = torch.tensor([0.0, 1.0, 250.0])
    elif config.class_embed_type == "identity":
        inputs["class_labels"] = torch.randn(3, 4 * config.block_out_channels[0])
    return inputs


def forward(model, inputs):
    timestep = inputs["timestep"]
    if model.config.time_embedding_type == "learned":
        timestep = timestep.long()
    return model(inputs["sample"], timestep, inputs.get("class_labels")).sample


def run_ours(model, inputs, folder, *more):
    """What langevin_unet_forward gives for a model that diffusers saves."""
    model.save_pretrained(folder / "model")
    save_file(inputs, folder / "inputs.safetensors")
    subprocess.run([UNET_FORWARD, folder / "model", folder / "inputs.safetensors",
                    folder / "output.safetensors", *more], check=True, env=ENVIRONMENT, timeout=120)
    return load_file(folder / "output.safetensors")["output"]


@pytest.mark.parametrize("name", CONFIGS)
def test_output_equals_diffusers(name, tmp_path):
    model = make_model(name)
    inputs = make_inputs(model)
    ours = run_ours(model, inputs, tmp_path)
    with torch.no_grad():
        theirs = forward(model, inputs)
    difference = (ours - theirs).abs().max() / theirs.abs().max()
    print(f"{name}: {difference:.2e}")
    assert difference <= 1e-4


@pytest.mark.parametrize("name", ["quickstart", "skip_attention_class_table"])
def test_gradients_equal_diffusers(name, tmp_path):
    model = make_model(name)
    inputs = make_inputs(model)
    run_ours(model, inputs, tmp_path, tmp_path / "gradients.safetensors")
    ours = load_file(tmp_path / "gradients.safetensors")
    forward(model, inputs).square().mean().backward()
    theirs = {name: p.grad for name, p in model.named_parameters() if p.requires_grad}
    assert ours.keys() == theirs.keys()
    scale = max(gradient.abs().max() for gradient in theirs.values())
    for parameter, gradient in theirs.items():
        assert (ours[parameter] - gradient).abs().max() <= 1e-4 * scale, parameter
