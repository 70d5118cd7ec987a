"""Our safetensors files against the safetensors package, in both directions.

The environment variable SAFETENSORS_TOOL names the program built from safetensors_tool.cc.
"""

import os
import random
import subprocess

import numpy
import pytest
import safetensors
import torch
from safetensors import torch as safetensors_torch

TOOL = os.environ["SAFETENSORS_TOOL"]
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.int32,
          torch.uint16, torch.uint8]


def make_tensors():
    generator = numpy.random.default_rng(1)
    tensors = {}
    for dtype in DTYPES:
        for shape in [(), (3,), (2, 0, 3), (2, 3, 4, 5)]:
            values = torch.from_numpy(generator.integers(0, 100, shape).astype(numpy.int64))
            tensors[f"{dtype}.{len(shape)} \"ü\\"] = values.to(dtype)
    return tensors


def check(paths):
    result = subprocess.run([TOOL, "check", *paths], capture_output=True, text=True, check=True)
    return [line.startswith("good") for line in result.stdout.splitlines()]


def test_python_reads_what_we_write_of_what_python_wrote(tmp_path):
    tensors = make_tensors()
    metadata = {"format": "pt", "quoted \"key\"": "line\nbreak \u00e9"}
    safetensors_torch.save_file(tensors, tmp_path / "python", metadata)
    subprocess.run([TOOL, "copy", tmp_path / "python", tmp_path / "ours"], check=True)
    copied = safetensors_torch.load_file(tmp_path / "ours")
    assert copied.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert copied[name].dtype == tensor.dtype and copied[name].shape == tensor.shape, name
        assert torch.equal(copied[name], tensor), name
    with safetensors.safe_open(tmp_path / "ours", "pt") as file:
        assert file.metadata() == metadata


def test_what_we_accept_python_accepts(tmp_path):
    """The other way round need not hold: ours is stricter (duplicate names, unknown types)."""
    seed = safetensors_torch.save({"a": torch.ones(2, 3), "b": torch.zeros(4, dtype=torch.uint8)},
                                  {"format": "pt"})
    dice = random.Random(1)
    files = []
    for number in range(2000):
        header = bytearray(seed[8:int.from_bytes(seed[:8], "little") + 8])
        data = seed[8 + len(header):]
        for _ in range(dice.randint(1, 3)):
            place = dice.randrange(len(header))
            if dice.random() < 0.5:
                header[place] = dice.choice(b'"{}[]:,0123456789-.e\\ \xff')
            elif dice.random() < 0.5:
                header.insert(place, dice.choice(b'"{}[]:,0123456789-.e\\ '))
            else:
                del header[place]
        path = tmp_path / str(number)
        path.write_bytes(len(header).to_bytes(8, "little") + bytes(header) + data)
        files.append(path)
    accepted = [path for path, good in zip(files, check(files), strict=True) if good]
    assert 20 < len(accepted) < 1000
    for path in accepted:
        safetensors_torch.load_file(path)


@pytest.mark.parametrize("contents", [b"", b"\x02\0\0\0\0\0\0\0", b"\x02\0\0\0\0\0\0\0{}x"])
def test_both_refuse_the_same_stumps(tmp_path, contents):
    (tmp_path / "stump").write_bytes(contents)
    assert check([tmp_path / "stump"]) == [False]
    with pytest.raises(Exception):
        safetensors_torch.load_file(tmp_path / "stump")
