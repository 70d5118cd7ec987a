"""JPEG and TIFF, made by Pillow and tifffile, are read the same here."""
import struct
import subprocess

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps
from readers_testing import DECODE, as_hwc, decode, one, physical, picture, refused, rng  # noqa: F401


@pytest.mark.parametrize("mode,channels", [("L", 1), ("RGB", 3)])
@pytest.mark.parametrize("options", [{}, {"quality": 30}, {"progressive": True},
                                     {"subsampling": 0}, {"subsampling": 1}, {"optimize": True}])
@pytest.mark.parametrize("size", [(1, 1), (17, 23), (200, 311)])
def test_jpeg(tmp_path, rng, mode, channels, options, size):
    Image.fromarray(picture(rng, *size, channels), mode=mode).save(tmp_path / "a.jpg", **options)
    pillow = as_hwc(np.asarray(Image.open(tmp_path / "a.jpg")))
    got = one(tmp_path / "a.jpg").pixels
    assert got.shape == pillow.shape
    assert np.abs(got.astype(int) - pillow).max() <= 1


def test_jpeg_of_four_inks(tmp_path, rng):
    Image.fromarray(picture(rng, 60, 40, 4), mode="CMYK").save(tmp_path / "a.jpg")
    pillow = np.asarray(Image.open(tmp_path / "a.jpg").convert("RGB"))
    assert np.abs(one(tmp_path / "a.jpg").pixels.astype(int) - pillow).max() <= 1
    # The same inks without Adobe's marker are not upside down.
    data = (tmp_path / "a.jpg").read_bytes()
    at = data.index(b"\xff\xee")
    length = struct.unpack(">H", data[at + 2:at + 4])[0]
    (tmp_path / "b.jpg").write_bytes(data[:at] + data[at + 2 + length:])
    # Pillow turns all inks over.
    inks = Image.fromarray(255 - np.asarray(Image.open(tmp_path / "b.jpg")), mode="CMYK")
    pillow = np.asarray(inks.convert("RGB"))
    assert np.abs(one(tmp_path / "b.jpg").pixels.astype(int) - pillow).max() <= 1


@pytest.mark.parametrize("orientation", range(1, 9))
def test_jpeg_and_tiff_orientation(tmp_path, rng, orientation):
    image = Image.fromarray(picture(rng, 24, 40, 3))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(tmp_path / "a.jpg", exif=exif, quality=95)
    turned = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.jpg")))
    assert np.abs(one(tmp_path / "a.jpg").pixels.astype(int) - turned).max() <= 1
    flat = np.asarray(Image.open(tmp_path / "a.jpg"))
    assert np.abs(one("orientation=off", tmp_path / "a.jpg").pixels.astype(int) - flat).max() <= 1
    tifffile.imwrite(tmp_path / "a.tif", np.asarray(image), photometric="rgb",
                     extratags=[(274, "H", 1, orientation, True)])
    turned = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.tif")))
    assert np.array_equal(one(tmp_path / "a.tif").pixels, turned)


def test_damaged_jpeg_is_refused(tmp_path, rng):
    Image.fromarray(picture(rng, 100, 100, 3)).save(tmp_path / "a.jpg")
    good = (tmp_path / "a.jpg").read_bytes()
    for size in [10, 200, len(good) // 2, len(good) - 2]:
        (tmp_path / "b.jpg").write_bytes(good[:size])
        assert "is no JPEG that can be read" in refused(tmp_path / "b.jpg")
    # Bytes behind the end are not the picture's.
    (tmp_path / "b.jpg").write_bytes(good + b"more")
    one(tmp_path / "b.jpg")


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"])
@pytest.mark.parametrize("layout", ["strips", "tiles", "one strip"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_tiff_numbers(tmp_path, rng, dtype, layout, order):
    kind = np.dtype(dtype)
    array = rng.integers(0, 100, (50, 70)) if kind.kind == "u" else rng.integers(-90, 90, (50, 70))
    array = array.astype(kind)
    if kind.kind == "f":
        array = array / kind.type(8)
    options = {"strips": {"rowsperstrip": 7}, "tiles": {"tile": (16, 32)}, "one strip": {}}[layout]
    tifffile.imwrite(tmp_path / "a.tif", array, byteorder=order, photometric="minisblack",
                     **options)
    got = one(tmp_path / "a.tif")
    assert np.array_equal(physical(got)[:, :, 0], array.astype(np.float64))


@pytest.mark.parametrize("planar", ["contig", "separate"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("channels", [3, 4, 6])
@pytest.mark.parametrize("tiled", [False, True])
def test_tiff_channels(tmp_path, rng, planar, dtype, channels, tiled):
    array = (rng.random((40, 33, channels)) * 200).astype(dtype)
    data = array if planar == "contig" else np.ascontiguousarray(array.transpose(2, 0, 1))
    extra = {"extrasamples": ["unspecified"] * (channels - 3)} if channels > 3 else {}
    tifffile.imwrite(tmp_path / "a.tif", data, photometric="rgb", planarconfig=planar,
                     tile=(16, 16) if tiled else None, **extra)
    assert np.array_equal(one(tmp_path / "a.tif").pixels, array)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits"])
def test_tiff_compressions(tmp_path, rng, compression):
    for channels in (1, 3):
        array = picture(rng, 70, 90, channels)
        Image.fromarray(array).save(tmp_path / "a.tif", compression=compression)
        assert np.array_equal(one(tmp_path / "a.tif").pixels, as_hwc(array))
    if compression != "packbits":
        wide = picture(rng, 70, 90, 1, np.uint16)
        Image.fromarray(wide).save(tmp_path / "w.tif", compression=compression,
                                   tiffinfo={317: 2})  # Horizontal differences.
        assert np.array_equal(one(tmp_path / "w.tif").pixels[:, :, 0], wide)


def test_tiff_jpeg_inside(tmp_path, rng):
    array = picture(rng, 64, 64, 3)
    Image.fromarray(array).save(tmp_path / "a.tif", compression="jpeg")
    pillow = np.asarray(Image.open(tmp_path / "a.tif").convert("RGB"))
    assert np.abs(one(tmp_path / "a.tif").pixels.astype(int) - pillow).max() <= 1


def test_tiff_alpha_palette_bits_and_inverted(tmp_path, rng):
    rgba = picture(rng, 30, 20, 4)
    rgba[:5, :, 3] = 0
    Image.fromarray(rgba, mode="RGBA").save(tmp_path / "a.tif")
    got = one("alpha=mask", tmp_path / "a.tif")
    assert np.array_equal(got.pixels, rgba[:, :, :3])
    assert np.array_equal(got.mask, rgba[:, :, 3] > 0)

    indexed = Image.fromarray(rgba[:, :, :3]).quantize(50)
    indexed.save(tmp_path / "p.tif")
    assert np.array_equal(one(tmp_path / "p.tif").pixels, np.asarray(indexed.convert("RGB")))

    bits = rng.integers(0, 2, (17, 21)).astype(bool)
    Image.fromarray(bits).save(tmp_path / "b.tif", compression="group4")
    assert np.array_equal(one(tmp_path / "b.tif").pixels[:, :, 0], bits * 255)

    gray = picture(rng, 30, 20, 1)
    tifffile.imwrite(tmp_path / "w.tif", gray, photometric="miniswhite")
    assert np.array_equal(one(tmp_path / "w.tif").pixels[:, :, 0], 255 - gray)

    Image.fromarray(picture(rng, 30, 20, 4), mode="CMYK").save(tmp_path / "c.tif")
    pillow = np.asarray(Image.open(tmp_path / "c.tif").convert("RGB"))
    assert np.abs(one(tmp_path / "c.tif").pixels.astype(int) - pillow).max() <= 1


@pytest.mark.parametrize("depth", [2, 4, 10, 12, 14])
def test_tiff_odd_depths(tmp_path, rng, depth):
    values = rng.integers(0, 2**depth, (9, 13))
    bits = ((values[:, :, None] >> np.arange(depth)[::-1]) & 1).astype(np.uint8)
    data = np.packbits(bits.reshape(9, -1), axis=1).tobytes()
    entries = [(256, 3, 13), (257, 3, 9), (258, 3, depth), (259, 3, 1), (262, 3, 1),
               (273, 4, 8), (277, 3, 1), (278, 3, 9), (279, 4, len(data))]
    data += bytes(len(data) % 2)
    ifd = struct.pack("<H", len(entries)) + b"".join(
        struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries) + bytes(4)
    (tmp_path / "a.tif").write_bytes(b"II*\0" + struct.pack("<I", 8 + len(data)) + data + ifd)
    got = one(tmp_path / "a.tif")
    assert np.array_equal(got.pixels[:, :, 0],
                          values * (255 // (2**depth - 1)) if depth < 8 else values)
    assert got.bits == max(depth, 8)


def test_tiff_pages_are_images_and_thumbnails_are_not(tmp_path, rng):
    pages = [picture(rng, 20 + i, 30, 1, np.uint16) for i in range(3)]
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for i, page in enumerate(pages):
            writer.write(page, photometric="minisblack")
            writer.write(page[::2, ::2], photometric="minisblack", subfiletype=1)
    got = decode(tmp_path / "a.tif")
    assert [image.count for image in got] == [3, 3, 3]
    for image, page in zip(got, pages):
        assert np.array_equal(image.pixels[:, :, 0], page)
    big = tmp_path / "big.tif"
    tifffile.imwrite(big, pages[0], bigtiff=True, photometric="minisblack")
    assert np.array_equal(one(big).pixels[:, :, 0], pages[0])


def test_damaged_tiff_is_refused_without_noise(tmp_path, rng):
    Image.fromarray(picture(rng, 100, 100, 3)).save(tmp_path / "a.tif", compression="tiff_lzw")
    good = (tmp_path / "a.tif").read_bytes()
    for size in [9, 100, len(good) // 2, len(good) - 1]:
        (tmp_path / "b.tif").write_bytes(good[:size])
        run = subprocess.run([DECODE, tmp_path / "b.tif"], capture_output=True, check=True)
        assert b"is no TIFF that can be read" in run.stdout and run.stderr == b""
