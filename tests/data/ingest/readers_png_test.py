"""PNG of every kind, made by Pillow and by hand, is read as Pillow reads it."""
import struct
import zlib

import numpy as np
import pytest
from PIL import Image
from readers_testing import as_hwc, one, picture, refused, rng  # noqa: F401


@pytest.mark.parametrize("mode,channels", [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)])
@pytest.mark.parametrize("size", [(1, 1), (3, 5), (33, 70), (257, 129)])
def test_png_of_eight_bits(tmp_path, rng, mode, channels, size):
    array = picture(rng, *size, channels)
    Image.fromarray(array, mode=mode).save(tmp_path / "a.png")
    got = one(tmp_path / "a.png")
    colours = as_hwc(array)[:, :, :3 if channels >= 3 else 1]
    assert np.array_equal(got.pixels, colours)
    assert got.dropped == (mode in ("LA", "RGBA"))


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(
        ">I", zlib.crc32(kind + body))


def paeth(a, b, c):
    p = a + b - c
    distances = [abs(p - a), abs(p - b), abs(p - c)]
    return (a, b, c)[distances.index(min(distances))]


def filtered_scanlines(raw, step, choose):
    """`raw` (rows, bytes) with each row under the filter that `choose(row)` names."""
    out = bytearray()
    above = np.zeros(raw.shape[1], int)
    for y, row in enumerate(raw.astype(int)):
        kind = choose(y)
        left = np.concatenate([np.zeros(step, int), row[:-step]])[:len(row)]
        corner = np.concatenate([np.zeros(step, int), above[:-step]])[:len(row)]
        predicted = [np.zeros_like(row), left, above, (left + above) // 2,
                     np.array([paeth(*t) for t in zip(left, above, corner)], int)][kind]
        out += bytes([kind]) + ((row - predicted) & 255).astype(np.uint8).tobytes()
        above = row
    return bytes(out)


def write_png(path, raw_rows, width, height, depth, colour, step, choose=lambda y: y % 5,
              extra=b"", interlaced=0, parts=1):
    data = zlib.compress(filtered_scanlines(raw_rows, step, choose)
                         if not interlaced else raw_rows)
    size = -(-len(data) // parts)
    idat = b"".join(chunk(b"IDAT", data[i:i + size]) for i in range(0, len(data), size))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" +
                     chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0,
                                                interlaced)) + extra + idat + chunk(b"IEND", b""))


@pytest.mark.parametrize("colour,channels", [(0, 1), (2, 3), (4, 2), (6, 4)])
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("kind", range(6))
def test_png_filters(tmp_path, rng, colour, channels, depth, kind):
    dtype = np.dtype(np.uint8 if depth == 8 else ">u2")
    array = picture(rng, 19, 23, channels, np.uint8 if depth == 8 else np.uint16)
    raw = np.ascontiguousarray(array).astype(dtype).view(np.uint8).reshape(19, -1)
    choose = (lambda y: y % 5) if kind == 5 else (lambda y: kind)
    write_png(tmp_path / "a.png", raw, 23, 19, depth, colour, channels * depth // 8, choose,
              parts=1 + kind)
    got = one(tmp_path / "a.png")
    assert np.array_equal(got.pixels, as_hwc(array)[:, :, :channels - (channels % 2 == 0)])
    assert got.bits == depth


ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
         (0, 1, 1, 2)]


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("size", [(1, 1), (5, 3), (8, 8), (17, 31)])
def test_png_interlaced(tmp_path, rng, depth, size):
    height, width = size
    values = rng.integers(0, 2**depth, (height, width)).astype(np.uint16)
    data = b""
    for x0, y0, dx, dy in ADAM7:
        part = values[y0::dy, x0::dx]
        if part.size == 0:
            continue
        bits = np.unpackbits(part.astype(">u2").view(np.uint8).reshape(*part.shape, 2),
                             axis=2)[:, :, 16 - depth:]
        raw = np.packbits(bits.reshape(part.shape[0], -1), axis=1)
        data += filtered_scanlines(raw, max(1, depth // 8), lambda y: y % 5)
    write_png(tmp_path / "a.png", data, width, height, depth, 0, 1, interlaced=1)
    got = one(tmp_path / "a.png").pixels[:, :, 0]
    scale = 255 // (2**depth - 1) if depth < 8 else 1
    assert np.array_equal(got, values * scale)
    if depth != 16:
        pillow = np.asarray(Image.open(tmp_path / "a.png").convert("L"))
        assert np.array_equal(got, pillow)


@pytest.mark.parametrize("colours", [2, 4, 16, 200])
def test_png_palette_with_transparency(tmp_path, rng, colours):
    image = Image.fromarray(rng.integers(0, colours, (20, 33), dtype=np.uint8), mode="P")
    image.putpalette(rng.integers(0, 256, 3 * colours, dtype=np.uint8).tobytes())
    alphas = bytes([0, 128] + [255] * (colours - 2))
    image.save(tmp_path / "a.png", transparency=alphas)
    image.save(tmp_path / "opaque.png")
    reference = Image.open(tmp_path / "a.png").convert("RGBA")
    rgba = np.asarray(reference)
    assert np.array_equal(one(tmp_path / "opaque.png").pixels, rgba[:, :, :3])
    assert np.array_equal(one(tmp_path / "a.png").pixels, rgba[:, :, :3])
    masked = one("alpha=mask", tmp_path / "a.png")
    assert np.array_equal(masked.mask, rgba[:, :, 3] > 0)
    assert not masked.dropped
    for name, level in (("white", 255), ("black", 0)):
        under = np.full(3, level)
        alpha = rgba[:, :, 3:].astype(int)
        composed = (rgba[:, :, :3] * alpha + under * (255 - alpha) + 127) // 255
        assert np.array_equal(one(f"alpha={name}", tmp_path / "a.png").pixels, composed)


def test_png_with_one_transparent_colour(tmp_path):
    raw = np.array([[1, 2, 3, 9, 9, 9, 1, 2, 4]], np.uint8)
    write_png(tmp_path / "a.png", raw, 3, 1, 8, 2, 3,
              extra=chunk(b"tRNS", struct.pack(">HHH", 1, 2, 3)))
    assert one("alpha=mask", tmp_path / "a.png").mask.tolist() == [[0, 1, 1]]
    assert one("alpha=white", tmp_path / "a.png").pixels[0, 0].tolist() == [255, 255, 255]
    assert one(tmp_path / "a.png").pixels.reshape(-1).tolist() == raw[0].tolist()


def test_colours_on_request(tmp_path, rng):
    array = picture(rng, 40, 50, 3)
    Image.fromarray(array).save(tmp_path / "a.png")
    gray = one("color=gray", tmp_path / "a.png").pixels[:, :, 0]
    assert np.array_equal(gray, np.asarray(Image.fromarray(array).convert("L")))
    Image.fromarray(gray).save(tmp_path / "g.png")
    assert np.array_equal(one("color=rgb", tmp_path / "g.png").pixels,
                          np.asarray(Image.fromarray(gray).convert("RGB")))


def test_png_whose_palette_is_too_short(tmp_path):
    write_png(tmp_path / "a.png", np.array([[0, 7]], np.uint8), 2, 1, 8, 3, 1,
              extra=chunk(b"PLTE", bytes(9)))
    assert "palette" in refused(tmp_path / "a.png")
