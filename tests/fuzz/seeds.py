"""Writes a small seed corpus for each fuzz target: seeds.py FOLDER."""

import io
import pathlib
import sys

import h5py
import numpy as np
from PIL import Image

FOLDER = pathlib.Path(sys.argv[1])
RNG = np.random.default_rng(0)


def add(target, name, contents, option=b"\0"):
    """Decoders take options from the first byte; the others take the file as it is."""
    folder = FOLDER / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(option + contents)
    if option:
        (FOLDER / "sniff").mkdir(parents=True, exist_ok=True)
        (FOLDER / "sniff" / f"{target}-{name}").write_bytes(contents)


def saved(image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    return out.getvalue()


def hdf5(**datasets):
    out = io.BytesIO()
    with h5py.File(out, "w") as file:
        for name, (data, options) in datasets.items():
            file.create_dataset(name, data=data, **options)
    return out.getvalue()


pixels = RNG.integers(0, 256, (9, 7, 4), dtype=np.uint8)
for mode, channels in [("L", 1), ("LA", 2), ("RGB", 3), ("RGBA", 4)]:
    part = pixels[:, :, 0] if channels == 1 else pixels[:, :, :channels]
    add("png", mode, saved(Image.fromarray(np.ascontiguousarray(part), mode=mode), format="png"))
add("png", "wide", saved(Image.fromarray(pixels[:, :, 0].astype(np.uint16) * 257), format="png"))
palette = Image.fromarray(pixels[:, :, :3]).quantize(5)
add("png", "palette", saved(palette, format="png", transparency=b"\0\x7f"), b"\x0c")
add("png", "bits", saved(Image.fromarray(pixels[:, :, 0] > 99), format="png"))
# Adam7 of a 1 x 1 image, written by hand: Pillow does not write any.
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import struct  # noqa: E402
import zlib  # noqa: E402


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


add("png", "interlaced", b"\x89PNG\r\n\x1a\n" +
    chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 3, 8, 0, 0, 0, 1)) +
    chunk(b"IDAT", zlib.compress(b"\0\1\0\3\0\7\x09\0\2\0\x08\0\4\5\6")) + chunk(b"IEND", b""))

exif = Image.Exif()
exif[0x0112] = 6
for name, image, options in [
        ("gray", Image.fromarray(pixels[:, :, 0]), {}),
        ("rgb", Image.fromarray(pixels[:, :, :3]), {"exif": exif}),
        ("progressive", Image.fromarray(pixels[:, :, :3]), {"progressive": True}),
        ("cmyk", Image.fromarray(pixels, mode="CMYK"), {})]:
    add("jpeg", name, saved(image, format="jpeg", **options))

for name, image, options in [
        ("gray", Image.fromarray(pixels[:, :, 0]), {}),
        ("lzw", Image.fromarray(pixels[:, :, :3]), {"compression": "tiff_lzw"}),
        ("deflate", Image.fromarray(pixels, mode="RGBA"), {"compression": "tiff_adobe_deflate"}),
        ("palette", palette, {}), ("float", Image.fromarray(pixels[:, :, 0].astype(np.float32)), {}),
        ("cmyk", Image.fromarray(pixels, mode="CMYK"), {}),
        ("fax", Image.fromarray(pixels[:, :, 0] > 99), {"compression": "group4"}),
        ("jpeg", Image.fromarray(pixels[:, :, :3]), {"compression": "jpeg"}),
        ("pages", Image.fromarray(pixels[:, :, 0]),
         {"save_all": True, "append_images": [Image.fromarray(pixels[:, :, 1])]})]:
    add("tiff", name, saved(image, format="tiff", **options))

for name, array in [("u1", pixels), ("i4", pixels[:, :, 0].astype(">i4") - 500),
                    ("f2", np.asfortranarray(pixels.astype("<f2"))), ("bool", pixels[:, :, 0] > 9)]:
    out = io.BytesIO()
    np.save(out, array)
    add("npy", name, out.getvalue())
for name, save in [("stored", np.savez), ("deflated", np.savez_compressed)]:
    out = io.BytesIO()
    save(out, x=pixels, y=np.arange(9))
    add("npz", name, out.getvalue())

for name, kind, array in [("u1", 8, pixels[:, :, 0]), ("i2", 11, pixels[:, :, 0].astype(">i2")),
                          ("f4", 13, pixels.astype(">f4"))]:
    add("idx", name, bytes([0, 0, kind, array.ndim]) +
        struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes())
add("idx", "labels", b"\0\0\x08\x01\0\0\0\3\1\2\3")

batch = RNG.integers(0, 256, (3, 6, 5, 1), dtype=np.uint8)
add("hdf5", "plain", hdf5(images=(batch, {}), labels=(np.arange(3), {})), b"\x20")
add("hdf5", "gzip", hdf5(images=(batch, {"compression": "gzip", "shuffle": True})))
volume = np.arange(60, dtype="<i2").tobytes()
header = bytearray(352)
struct.pack_into("<i", header, 0, 348)
struct.pack_into("<8h", header, 40, 3, 5, 4, 3, 1, 1, 1, 1)
struct.pack_into("<hh", header, 70, 4, 16)
struct.pack_into("<8f", header, 76, 1, 1, 1, 2, 0, 0, 0, 0)
struct.pack_into("<fff", header, 108, 352, 2, -3)
struct.pack_into("<hh", header, 252, 0, 1)
struct.pack_into("<12f", header, 280, -1, 0, 0, 9, 0, 1, 0, 8, 0, 0, 2, 7)
header[344:348] = b"n+1\0"
add("nifti", "small", bytes(header) + volume, b"")


def element(group, number, kind, value):
    value += b" " * (len(value) % 2) if kind in (b"UI", b"CS", b"DS", b"LO") else b""
    if kind == b"OW":
        return struct.pack("<HH2sHI", group, number, kind, 0, len(value)) + value
    return struct.pack("<HH2sH", group, number, kind, len(value)) + value


meta = element(2, 0x10, b"UI", b"1.2.840.10008.1.2.1\0")
add("dicom", "small", bytes(128) + b"DICM" + element(2, 0, b"UL", struct.pack("<I", len(meta))) +
    meta + element(8, 0x60, b"CS", b"CT") + b"".join(
        element(0x28, number, b"US", struct.pack("<H", value)) for number, value in
        [(2, 1)]) + element(0x28, 4, b"CS", b"MONOCHROME2") + b"".join(
            element(0x28, number, b"US", struct.pack("<H", value)) for number, value in
            [(0x10, 5), (0x11, 6), (0x100, 16), (0x101, 12), (0x102, 11), (0x103, 1)]) +
    element(0x28, 0x1052, b"DS", b"-1024") + element(0x28, 0x1053, b"DS", b"1") +
    element(0x7fe0, 0x10, b"OW", volume), b"")

shard = io.BytesIO()
with h5py.File(shard, "w") as file:
    file["images"], file["labels"] = batch, np.arange(3)
    file["crc32c"] = np.zeros(3, np.uint32)
    for key, value in [("format_version", 1), ("count", 3), ("complete", 1)]:
        file.attrs[key] = np.int64(value)
    file.attrs["intensity_scale"], file.attrs["intensity_offset"] = 1 / 127.5, -1.0
add("shard", "small", shard.getvalue(), b"")

add("csv", "all", b"\xef\xbb\xbffile,label,group,split,condition\r\n\"a\"\"b.png\",1,g,val,x\r\n"
    b"../c,2,,train,\n/etc/hostname,3,,,\n", b"")
add("csv", "names", b"file,label\na,cat\na,dog\nb,\xc3\xa4\n", b"")
add("manifest", "small", b"""format_version: 1
fingerprint: "00112233445566778899aabbccddeeff"
shape { height: 6 width: 5 channels: 1 }
dtype: "uint8"
intensity_map { scale: 0.0078431372549 offset: -1 }
has_labels: true num_classes: 2 class_name: "a" class_name: "b"
split { name: "train" count: 3 digest: "00112233445566778899aabbccddeeff"
        shard { file: "train-00000-of-00001.h5" count: 3 digest: "00112233445566778899aabbccddeeff" } }
rejected: 0 inputs_digest: "00112233445566778899aabbccddeeff"
""", b"")
