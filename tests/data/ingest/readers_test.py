"""Files of every kind, made and read by Pillow, tifffile, NumPy and h5py, are read the same here."""

import os
import struct
import subprocess
import zlib
from types import SimpleNamespace

import h5py
import numpy as np
import pytest
import tifffile
from PIL import Image, ImageOps

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


# --- PNG ---------------------------------------------------------------------------------------


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


# --- JPEG --------------------------------------------------------------------------------------


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


# --- TIFF --------------------------------------------------------------------------------------


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


# --- NPY and NPZ -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["?", "|u1", "|i1", "<u2", ">u2", "<i2", ">i2", "<u4", ">i4",
                                   "<i8", ">u8", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"])
@pytest.mark.parametrize("shape", [(9, 11), (6, 9, 11), (9, 11, 3), (6, 9, 11, 2), (6, 3, 9, 11)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_npy(tmp_path, rng, dtype, shape, order):
    kind = np.dtype(dtype)
    low = 0 if kind.kind in "ub" else -100
    array = np.asarray(rng.integers(low, 2 if kind.kind == "b" else 100, shape).astype(kind),
                       order=order)
    np.save(tmp_path / "a.npy", array)
    got = decode(tmp_path / "a.npy")
    if len(shape) == 2:
        images = [array[:, :, None]]
    elif shape == (9, 11, 3):
        images = [array]
    elif shape == (6, 3, 9, 11):
        images = list(array.transpose(0, 2, 3, 1))
    else:
        images = [as_hwc(image) for image in array]
    assert len(got) == len(images) == got[0].count
    for image, expected in zip(got, images):
        assert np.array_equal(physical(image), expected.astype(np.float64))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_npz_with_labels(tmp_path, rng, save):
    train, test = rng.integers(0, 256, (2, 40, 12, 13, 3), dtype=np.uint8)
    labels = rng.integers(0, 9, (40, 1))
    save(tmp_path / "a.npz", train_images=train, train_labels=labels, test_images=test,
         weights=np.zeros(4))
    got = decode(tmp_path / "a.npz")
    assert len(got) == 80 == got[0].count
    for image, expected in zip(got, np.concatenate([test, train])):  # In order of their names.
        assert np.array_equal(image.pixels, expected)
    assert [image.label for image in got] == [-1] * 40 + labels[:, 0].tolist()
    good = (tmp_path / "a.npz").read_bytes()
    for size in [10, len(good) // 2, len(good) - 10]:
        (tmp_path / "b.npz").write_bytes(good[:size])
        refused(tmp_path / "b.npz")
    damaged = bytearray(good)
    damaged[len(good) // 3] ^= 1
    (tmp_path / "b.npz").write_bytes(damaged)
    if save is np.savez_compressed:  # Its checksums are compared.
        refused(tmp_path / "b.npz")


def test_pickles_are_never_read(tmp_path):
    np.save(tmp_path / "a.npy", np.array([{"a": 1}, {}], dtype=object))
    assert "pickles" in refused(tmp_path / "a.npy")
    np.savez(tmp_path / "a.npz", images=np.array([[{}]], dtype=object))
    assert "pickles" in refused(tmp_path / "a.npz")


def test_claims_are_refused_before_memory_is_taken(tmp_path):
    header = b"{'descr': '<f8', 'fortran_order': %s, 'shape': (%s), }"
    for fortran, shape in [(b"False", b"1, 100000, 100000"), (b"True", b"100000, 100, 100"),
                           (b"False", b"99999999999, 999999999, 99999999999")]:
        text = header % (fortran, shape)
        (tmp_path / "a.npy").write_bytes(
            b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text)
        refused(tmp_path / "a.npy")


# --- HDF5 --------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"chunks": (1, 8, 9, 1)}, {"compression": "gzip"},
                                     {"compression": "gzip", "shuffle": True, "fletcher32": True},
                                     {"compression": "szip", "chunks": (2, 8, 8, 2)}])
@pytest.mark.parametrize("dtype", ["?", "u1", ">u2", "i2", "<i4", "f2", "f8"])
def test_hdf5(tmp_path, rng, options, dtype):
    if options.get("compression") == "szip" and (
            dtype == "?" or not h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP)):
        options = {"chunks": (3, 8, 9, 2)}
    low = 0 if np.dtype(dtype).kind in "ub" else -100
    array = rng.integers(low, 2 if dtype == "?" else 100, (7, 8, 9, 2)).astype(dtype)
    labels = rng.integers(0, 5, 7)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("group/pictures", data=array, **options)
        file["y"] = labels
    got = decode("images=group/pictures", "labels=/y", tmp_path / "a.h5")
    assert [image.label for image in got] == labels.tolist()
    for image, expected in zip(got, array):
        assert np.array_equal(physical(image), expected.astype(np.float64))


def test_hdf5_that_leads_elsewhere_is_refused(tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(range(100)))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images"] = np.zeros((2, 5, 6), np.uint8)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.create_dataset("external", (1, 10, 10), np.uint8, external=str(secret))
        file["link"] = h5py.ExternalLink("other.h5", "images")
        file["soft"] = h5py.SoftLink("/plain")
        file["plain"] = np.zeros((2, 5, 6), np.uint8)
        layout = h5py.VirtualLayout((2, 5, 6), np.uint8)
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "images", (2, 5, 6))
        file.create_virtual_dataset("virtual", layout)
        file.create_dataset("plugin", data=np.zeros((2, 5, 6), np.uint8), compression="lzf")
        file["words"] = np.array([["a"]], dtype="S4")
        file.create_dataset("hollow", (1000, 100000, 1000), np.uint8, chunks=(1, 1000, 1000))
    path = tmp_path / "a.h5"
    assert len(decode("images=plain", path)) == 2
    assert "external storage" in refused("images=external", path)
    assert "is a link" in refused("images=link", path)
    assert "is a link" in refused("images=soft", path)
    assert "is virtual" in refused("images=virtual", path)
    assert "filter plugin" in refused("images=plugin", path)
    assert "does not hold numbers" in refused("images=words", path)
    assert "claims" in refused("images=hollow", path)
    reason = refused(path)
    assert "has no dataset images" in reason and "plain" in reason
    assert "is no row of whole numbers" in refused("images=plain", "labels=plain", path)
    (tmp_path / "b.h5").write_bytes(path.read_bytes()[:3000])
    refused("images=plain", tmp_path / "b.h5")


# --- All together ------------------------------------------------------------------------------


def test_what_no_reader_takes_is_named(tmp_path):
    for name, contents, kind in [("a.png", b"%PDF-1.7 ...", "PDF"), ("b.jpg", b"PK\3\4" + bytes(40), "ZIP"),
                                 ("c", b"hello\n", "text"), ("d", b"\x80\x04\x95" + bytes(9), "pickle")]:
        (tmp_path / name).write_bytes(contents)
        assert kind in refused(tmp_path / name)


def test_names_do_not_matter(tmp_path, rng):
    array = picture(rng, 20, 30, 3)
    Image.fromarray(array).save(tmp_path / "a.tif")
    os.rename(tmp_path / "a.tif", tmp_path / "a.png")
    assert np.array_equal(one(tmp_path / "a.png").pixels, array)


def test_one_child_reads_files_of_all_kinds(tmp_path, rng):
    array = picture(rng, 20, 30, 1)
    files = []
    for i in range(40):
        name = tmp_path / f"{i}.{['png', 'tif', 'npy'][i % 3]}"
        np.save(name, array) if i % 3 == 2 else Image.fromarray(array).save(name)
        files.append(name)
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n....")
    images, reasons = decode_all(*files[:20], tmp_path / "bad.png", *files[20:])
    assert len(images) == 40 and sum(reason != "" for reason in reasons) == 1
    assert all(np.array_equal(image.pixels[:, :, 0], array) for image in images)
