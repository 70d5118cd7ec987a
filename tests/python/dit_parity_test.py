"""DiT of Langevin against diffusers' DiTTransformer2DModel, outputs and gradients.

diffusers makes and saves each model, and the same inputs go through both.
"""
import os
import subprocess

import pytest
import torch
from conftest import ENVIRONMENT
from diffusers import DiTTransformer2DModel
from safetensors.torch import load_file, save_file

FORWARD = os.environ["LANGEVIN_UNET_FORWARD"]

SMALL = dict(num_attention_heads=4, attention_head_dim=16, in_channels=4, num_layers=2, sample_size=8,
             num_embeds_ada_norm=10)
CONFIGS = {
    "small": SMALL,
    "learned_sigma_large_patches": {**SMALL, "in_channels": 3, "out_channels": 6, "patch_size": 4,
                                    "sample_size": 16, "num_layers": 3},
    "options": {**SMALL, "attention_bias": False, "activation_fn": "gelu", "norm_eps": 1e-3,
                "norm_elementwise_affine": True, "dropout": 0.3, "upcast_attention": True},
    "pixels_one_head": {**SMALL, "num_attention_heads": 1, "attention_head_dim": 20, "in_channels": 1,
                        "patch_size": 1, "sample_size": 6, "num_layers": 1},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_output_and_gradients_equal_diffusers(name, tmp_path):
    torch.manual_seed(sum(map(ord, name)))
    model = DiTTransformer2DModel(**CONFIGS[name]).eval()
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if "norm3" in parameter_name:  # Ones and zeros would hide a mistake.
                parameter.add_(0.3 * torch.randn_like(parameter))
    model.save_pretrained(tmp_path / "model")
    config = model.config
    inputs = {"sample": torch.randn(3, config.in_channels, config.sample_size, config.sample_size),
              "timestep": torch.tensor([0.0, 512.0, 999.0]),
              "class_labels": torch.tensor([0, 10, 9])}  # 10 is the null label.
    save_file(inputs, tmp_path / "inputs.safetensors")
    subprocess.run([FORWARD, tmp_path / "model", tmp_path / "inputs.safetensors",
                    tmp_path / "output.safetensors", tmp_path / "gradients.safetensors"],
                   check=True, env=ENVIRONMENT, timeout=120)
    ours = load_file(tmp_path / "output.safetensors")["output"]
    theirs = model(inputs["sample"], inputs["timestep"], inputs["class_labels"]).sample
    difference = (ours - theirs).abs().max() / theirs.abs().max()
    print(f"{name}: {difference:.2e}")
    assert difference <= 1e-4

    theirs.square().mean().backward()
    expected = {name: p.grad for name, p in model.named_parameters()}
    gradients = load_file(tmp_path / "gradients.safetensors")
    assert gradients.keys() == expected.keys()
    scale = max(gradient.abs().max() for gradient in expected.values())
    for parameter, gradient in expected.items():
        assert (gradients[parameter] - gradient).abs().max() <= 1e-4 * scale, parameter
