"""What `langevin prepare` writes is plain HDF5: h5py reads it, and the numbers are the source's.

Takes the program's path from the environment variable LANGEVIN.
"""

import csv
import gzip
import os
import subprocess
import zlib

import h5py
import numpy as np
import pytest
from PIL import Image

FASHION_MNIST = "/usr/share/datasets/fashion-mnist"


def langevin(*arguments):
    return subprocess.run(
        [os.environ["LANGEVIN"], *map(str, arguments)], capture_output=True, text=True, timeout=120
    )


def prepare(source, output, *options, exit_code=0):
    result = langevin("prepare", "--input", source, "--output", output, *options)
    assert result.returncode == exit_code, result.stderr
    return result


def read_idx(name, header_bytes):
    with gzip.open(os.path.join(FASHION_MNIST, name)) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header_bytes)


def test_fashion_mnist_shards_equal_the_source(tmp_path):
    data = tmp_path / "data"
    prepare(FASHION_MNIST, data, "--shard_mib", 16)
    for split, prefix, count in [("train", "train", 60000), ("validation", "t10k", 10000)]:
        images = read_idx(f"{prefix}-images-idx3-ubyte.gz", 16).reshape(count, 28, 28, 1)
        labels = read_idx(f"{prefix}-labels-idx1-ubyte.gz", 8)
        first = 0
        paths = sorted(data.glob(f"{split}-*.h5"))
        assert [path.name for path in paths] == [
            f"{split}-{i:05}-of-{len(paths):05}.h5" for i in range(len(paths))
        ]
        for path in paths:
            with h5py.File(path) as shard:
                dataset = shard["images"]
                assert dataset.dtype == np.uint8
                assert dataset.chunks is None  # Contiguous.
                assert dataset.id.get_offset() % 4096 == 0
                assert shard.attrs["complete"] == 1
                assert shard.attrs["count"] == len(dataset)
                last = first + len(dataset)
                np.testing.assert_array_equal(dataset[:], images[first:last])
                np.testing.assert_array_equal(shard["labels"][:], labels[first:last])
                scale, offset = shard.attrs["intensity_scale"], shard.attrs["intensity_offset"]
                assert np.array([0, 255]) * scale + offset == pytest.approx([-1, 1], abs=1e-15)
                first = last
        assert first == count


def crc32c(data):
    """The bitwise definition: polynomial 0x1edc6f41, reflected."""
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def test_checksums_are_crc32c_of_the_stored_bytes(tmp_path):
    source, data = tmp_path / "in", tmp_path / "data"
    source.mkdir()
    for i in range(3):
        pixels = (np.arange(30).reshape(5, 6) * 2000 + i).astype(np.uint16)
        Image.fromarray(pixels).save(source / f"{i}.png")
    prepare(source, data)
    with h5py.File(data / "train-00000-of-00001.h5") as shard:
        assert shard["images"].dtype == np.uint16
        assert "labels" not in shard
        for image, crc in zip(shard["images"][:], shard["crc32c"][:]):
            assert crc == crc32c(image.tobytes())


def test_prepare_writes_masks_and_compressed_shards(tmp_path):
    source = tmp_path / "in"
    source.mkdir()
    masks = np.random.default_rng(1).random((4, 12, 10)) < 0.5
    masks[0] = True
    for i, mask in enumerate(masks):
        pixels = np.full((12, 10, 4), 50 + i, np.uint8)
        pixels[:, :, 3] = np.where(mask, 255, 0)
        Image.fromarray(pixels).save(source / f"{i}.png")
    prints = []
    for layout in ("PLAIN", "COMPRESSED"):
        data = tmp_path / layout
        prepare(source, data, "--set", "read.alpha=MASK", "--set", f"shards.layout={layout}")
        prints.append([line for line in (data / "manifest.textproto").read_text().splitlines() if "fingerprint" in line])
        assert "with masks" in langevin("inspect", data / "train-00000-of-00001.h5").stdout
    assert prints[0] == prints[1] and prints[0]
    with h5py.File(tmp_path / "PLAIN" / "train-00000-of-00001.h5") as shard:
        order = shard["images"][:, 0, 0, 0].astype(int) - 50
        np.testing.assert_array_equal(shard["masks"][:], masks[order])
        assert shard["extras_crc32c"][list(order).index(0)] == 0
        for mask, crc in zip(shard["masks"][1:], shard["extras_crc32c"][1:]):
            assert crc == (0 if mask.all() else crc32c(mask.tobytes()))
    with h5py.File(tmp_path / "COMPRESSED" / "train-00000-of-00001.h5") as shard:
        assert "images" not in shard and "masks" not in shard and len(shard["mask_index"]) == 4


def test_compressed_shards_need_nothing_but_zlib(tmp_path):
    images = np.zeros((40, 16, 16, 3), np.uint8)
    images[:] = np.arange(16, dtype=np.uint8)[None, :, None, None]
    images[::2] = np.random.default_rng(0).integers(0, 256, images[::2].shape)  # Not to be shortened.
    (tmp_path / "raw").write_bytes(images.tobytes())
    environment = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    for layout in ("plain", "compressed"):
        command = ["bench", "loader", "--side", 16, "--count", 40, "--batch", 8, "--epochs", 1, "--layout", layout,
                   "--images", tmp_path / "raw", "--work", tmp_path]
        subprocess.run([os.environ["LANGEVIN"], *map(str, command)], check=True, env=environment, timeout=120)
    with h5py.File(tmp_path / "langevin_16_40_plain_given" / "train-00000-of-00001.h5") as shard:
        np.testing.assert_array_equal(shard["images"][:], images)
        crcs = shard["crc32c"][:]
    with h5py.File(tmp_path / "langevin_16_40_compressed_given" / "train-00000-of-00001.h5") as shard:
        attributes = [shard.attrs[name] for name in ("height", "width", "channels", "bytes_per_number", "count")]
        assert attributes == [16, 16, 3, 1, 40] and "images" not in shard
        np.testing.assert_array_equal(shard["crc32c"][:], crcs)
        blob, codes = shard["blob"][:].tobytes(), set()
        for image, (offset, length, code, crc) in zip(images, shard["index"][:]):
            data = blob[offset:offset + length]
            assert crc32c(data) == crc
            if code == 1:
                data = np.frombuffer(zlib.decompress(data), np.uint8).reshape(3, 16, 16).transpose(1, 2, 0).tobytes()
            assert data == image.tobytes()
            codes.add(int(code))
        assert codes == {0, 1} and len(blob) < images.nbytes * 0.6


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_png_of_each_kind_equals_pillow(tmp_path, mode):
    source, data = tmp_path / "in", tmp_path / "data"
    (source / "class").mkdir(parents=True)
    noise = np.random.default_rng(0).integers(0, 256, (20, 14, 4), np.uint8)
    if mode == "I;16":
        picture = Image.fromarray(noise[:, :, :2].copy().view(np.uint16)[:, :, 0])
        expected = np.asarray(picture)[:, :, None]
    else:
        channels = {"1": 1, "L": 1, "LA": 2, "P": 3, "RGB": 3, "RGBA": 4}[mode]
        base = noise[:, :, 0] if channels == 1 else noise[:, :, :channels]
        picture = Image.fromarray(np.ascontiguousarray(base))
        if mode == "P":
            picture = picture.quantize(60)
        if mode == "1":
            picture = picture.convert("1")
        shown = picture.convert("L" if channels < 3 else "RGB")
        if channels in (2, 4):
            shown = Image.fromarray(noise[:, :, : channels - 1].squeeze())  # Alpha is left out.
        expected = np.asarray(shown).reshape(20, 14, -1)
    picture.save(source / "class" / "a.png")
    prepare(source, data)
    with h5py.File(data / "train-00000-of-00001.h5") as shard:
        np.testing.assert_array_equal(shard["images"][0], expected)


def test_a_corrupt_png_is_a_row_and_a_warning(tmp_path):
    source, data = tmp_path / "in", tmp_path / "data"
    source.mkdir()
    for i in range(3):
        Image.new("L", (8, 8), i).save(source / f"{i}.png")
    broken = source / "1.png"
    broken.write_bytes(broken.read_bytes()[:40])
    result = prepare(source, data)
    assert [line for line in result.stderr.splitlines() if "1.png" in line and "warning" in line]
    with open(data / "rejected.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == [str(broken)]
    assert rows[0]["reason"]


def test_bad_inputs_have_their_exit_codes_and_leave_nothing(tmp_path):
    source, output = tmp_path / "in", tmp_path / "out"
    source.mkdir()
    output.mkdir()
    assert str(source) in prepare(source, output / "data", exit_code=4).stderr
    Image.new("L", (8, 8)).save(source / "a.png")
    Image.new("L", (9, 8)).save(source / "b.png")
    message = prepare(source, output / "data", exit_code=4).stderr
    assert "a.png" in message and "b.png" in message
    prepare(tmp_path / "missing", output / "data", exit_code=4)
    prepare(source, output / "data", "--shard_mib", 0, exit_code=2)
    assert langevin("prepare", "--input", source).returncode == 2
    assert list(output.iterdir()) == []
    (source / "b.png").unlink()
    (output / "data").mkdir()
    (output / "data" / "notes.txt").write_text("mine")
    prepare(source, output / "data", exit_code=3)
    assert (output / "data" / "notes.txt").read_text() == "mine"
