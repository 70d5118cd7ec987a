"""What prepare's geometry does, beside Pillow and NumPy.

Takes the path of langevin_geometry_tool from the environment variable GEOMETRY_TOOL.
"""

import os
import subprocess

import numpy as np
import pytest
from PIL import Image

FILTERS = {"LANCZOS": Image.Resampling.LANCZOS, "TRIANGLE": Image.Resampling.BILINEAR}
# Reductions, enlargements, one of each, odd and prime sizes, a single pixel.
SIZES = [((97, 131), (32, 32)), ((64, 64), (28, 40)), ((20, 31), (64, 64)), ((150, 9), (13, 57)), ((5, 5), (1, 1))]


def geometry(image, *overrides, mask=None, bits=None):
    """The images that come of it, as (pixels, mask or None, bucket)."""
    height, width, channels = image.shape
    bits = bits or 8 * image.itemsize
    process = subprocess.run(
        [os.environ["GEOMETRY_TOOL"], image.dtype.name, *map(str, (bits, height, width, channels, int(mask is not None)))]
        + [f"geometry.{text}" for text in overrides],
        input=image.tobytes() + (b"" if mask is None else mask.astype(np.uint8).tobytes()),
        capture_output=True,
    )
    assert process.returncode == 0, process.stderr
    results, rest = [], process.stdout
    while rest:
        line, rest = rest.split(b"\n", 1)
        h, w, has_mask, bucket = map(int, line.split())
        size = h * w * channels * image.itemsize
        pixels, rest = np.frombuffer(rest[:size], image.dtype).reshape(h, w, channels), rest[size:]
        out_mask = None
        if has_mask:
            out_mask, rest = np.frombuffer(rest[: h * w], np.uint8).reshape(h, w), rest[h * w :]
        results.append((pixels, out_mask, bucket))
    return results


def one(*arguments, **options):
    (result,) = geometry(*arguments, **options)
    return result


def stretch(height, width, name):
    return [f"height={height}", f"width={width}", "fit=STRETCH", f"filter={name}"]


def random_image(shape, dtype, seed=0):
    """Noise over a gradient: all frequencies, no flat parts."""
    rng = np.random.default_rng(seed)
    image = rng.random(shape) * 0.5 + np.linspace(0, 0.5, shape[1])[None, :, None]
    return image.astype(np.float32) if dtype == np.float32 else (image * np.iinfo(dtype).max).astype(dtype)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("source,target", SIZES)
@pytest.mark.parametrize("channels", [1, 3])
def test_8_bits_are_pillows_within_one_level(name, source, target, channels):
    # Away from 0 and 255: Pillow also clips between the directions, where Lanczos overshoots.
    image = random_image((*source, channels), np.uint8) // 2 + 64
    pixels, mask, _ = one(image, *stretch(*target, name))
    expected = Image.fromarray(image.squeeze(-1) if channels == 1 else image).resize(target[::-1], FILTERS[name])
    difference = np.abs(pixels.astype(int) - np.asarray(expected, int).reshape(pixels.shape))
    assert mask is None
    assert difference.max() <= 1
    # Pillow rounds once more, between the directions.
    assert (difference > 0).mean() < 0.25 or difference.size < 10


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("source,target", SIZES)
def test_floats_are_pillows(name, source, target):
    image = random_image((*source, 1), np.float32)
    pixels, _, _ = one(image, *stretch(*target, name))
    expected = np.asarray(Image.fromarray(image.squeeze(-1), "F").resize(target[::-1], FILTERS[name]))
    np.testing.assert_allclose(pixels.squeeze(-1), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("source,target", SIZES)
def test_16_bits_are_a_float_references(name, source, target):
    image = random_image((*source, 2), np.uint16)
    pixels, _, _ = one(image, *stretch(*target, name))
    for channel in range(2):
        plane = Image.fromarray(image[..., channel].astype(np.float32), "F").resize(target[::-1], FILTERS[name])
        expected = np.clip(np.asarray(plane), 0, 65535)
        # Half a level of rounding, and 1e-5 of the value.
        assert np.abs(pixels[..., channel] - expected).max() <= 0.5 + 65535e-5


def test_depth_limits_what_lanczos_overshoots():
    image = np.zeros((16, 16, 1), np.uint16)
    image[:, 8:] = 4095
    pixels, _, _ = one(image, *stretch(40, 40, "LANCZOS"), bits=12)
    assert pixels.max() == 4095 and pixels.min() == 0


def test_crop_is_the_middle():
    image = random_image((40, 100, 3), np.uint8)
    pixels, _, _ = one(image, "height=20", "width=20", "fit=CROP")
    expected = Image.fromarray(image[:, 30:70]).resize((20, 20), Image.Resampling.LANCZOS)
    assert np.abs(pixels.astype(int) - np.asarray(expected, int)).max() <= 1
    pixels, _, _ = one(image, "height=40", "width=60", "fit=CROP")
    np.testing.assert_array_equal(pixels, image[:, 20:80])  # Nothing is resampled.


def test_pad_masks_what_it_adds():
    image = random_image((40, 100, 1), np.uint8)
    pixels, mask, _ = one(image, "height=50", "width=50", "fit=PAD", "pad_value=7")
    inner = Image.fromarray(image.squeeze(-1)).resize((50, 20), Image.Resampling.LANCZOS)
    assert np.abs(pixels[15:35, :, 0].astype(int) - np.asarray(inner, int)).max() <= 1
    assert (pixels[:15] == 7).all() and (pixels[35:] == 7).all()
    expected = np.zeros((50, 50))
    expected[15:35] = 1
    np.testing.assert_array_equal(mask, expected)


def test_masked_pixels_do_not_bleed():
    image = np.full((64, 64, 1), 100, np.uint8)
    mask = np.ones((64, 64))
    mask[:, 32:] = 0
    image[:, 32:] = 255
    pixels, out_mask, _ = one(image, *stretch(16, 16, "TRIANGLE"), mask=mask)
    assert set(np.unique(out_mask)) == {0, 1}
    assert (pixels[out_mask == 1] == 100).all() and (pixels[out_mask == 0] == 0).all()
    np.testing.assert_array_equal(out_mask[:, :7], 1)
    np.testing.assert_array_equal(out_mask[:, 9:], 0)


def test_nan_becomes_mask():
    image = random_image((32, 32, 1), np.float32)
    image[10:20, 10:20] = np.nan
    pixels, mask, _ = one(image, *stretch(16, 16, "TRIANGLE"))
    assert np.isfinite(pixels).all()
    assert (mask[6:9, 6:9] == 0).all() and mask[0, 0] == 1 and mask.sum() > 200


def test_tiles_lose_nothing():
    image = random_image((50, 70, 2), np.uint16)
    tiles = geometry(image, "height=32", "width=32", "tile_stride=20")
    tops, lefts = [0, 18], [0, 20, 38]
    assert len(tiles) == 6
    for i, (pixels, _, _) in enumerate(tiles):
        top, left = tops[i // 3], lefts[i % 3]
        np.testing.assert_array_equal(pixels, image[top : top + 32, left : left + 32])


def test_a_bucket_is_the_nearest_aspect():
    buckets = ["buckets=[64x64,48x96,96x48]", "fit=CROP"]
    for shape, bucket in [((50, 55), 0), ((50, 75), 1), ((50, 69), 0), ((90, 50), 2), ((30, 300), 1)]:
        pixels, _, found = one(random_image((*shape, 3), np.uint8), *buckets)
        assert found == bucket, shape
        assert pixels.shape[:2] == [(64, 64), (48, 96), (96, 48)][bucket]
