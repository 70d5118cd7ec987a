"""What the tests of the readers share: langevin_decode_file's answers, and pictures to read."""
import os
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

DECODE = os.environ["DECODE_FILE"]
DTYPES = {"U8": np.uint8, "U16": np.uint16, "F32": np.float32}


def decode_all(*arguments):
    """The images of the files and, for each file, the reason why it is unreadable."""
    out = subprocess.run([DECODE, *map(str, arguments)], capture_output=True, check=True).stdout
    images, reasons, at = [], [], 0
    while at < len(out):
        end = out.index(b"\n", at)
        line = out[at:end].decode()
        at = end + 1
        if line.startswith("file "):
            reasons.append(line[5:])
            continue
        h, w, c, dtype, bits, scale, offset, label, mask_bytes, dropped, count = line.split()[1:]
        shape = (int(h), int(w), int(c))
        pixels = np.frombuffer(out, DTYPES[dtype], int(np.prod(shape)), at).reshape(shape)
        at += pixels.nbytes
        mask = np.frombuffer(out, np.uint8, int(mask_bytes), at)
        at += int(mask_bytes)
        images.append(SimpleNamespace(
            pixels=pixels, mask=mask.reshape(shape[:2]) if mask.size else None, bits=int(bits),
            scale=float(scale), offset=float(offset), label=int(label), dropped=dropped == "1",
            count=int(count)))
    return images, reasons


def decode(*arguments):
    images, reasons = decode_all(*arguments)
    assert reasons == [""], reasons
    return images


def one(*arguments):
    images = decode(*arguments)
    assert len(images) == 1 and images[0].count == 1
    return images[0]


def refused(*arguments):
    images, reasons = decode_all(*arguments)
    assert len(reasons) == 1 and reasons[0], (images, reasons)
    return reasons[0]


def physical(image):
    return image.pixels.astype(np.float64) * image.scale + image.offset


@pytest.fixture
def rng():
    return np.random.default_rng(5)


def as_hwc(array):
    return array[:, :, None] if array.ndim == 2 else array


def picture(rng, height, width, channels, dtype=np.uint8):
    """Smooth with some noise, so that every filter and predictor has something to do."""
    y, x, c = np.mgrid[0:height, 0:width, 0:channels]
    top = np.iinfo(dtype).max
    waves = (np.sin(y / 7 + c) + np.cos(x / 5 - c) + 2) / 4 * 0.9
    noisy = waves * top + rng.integers(0, max(top // 16, 2), (height, width, channels))
    array = noisy.clip(0, top).astype(dtype)
    return array[:, :, 0] if channels == 1 else array
