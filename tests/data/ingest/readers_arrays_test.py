"""NPY, NPZ and HDF5, made by NumPy and h5py, are read the same here."""
import struct

import h5py
import numpy as np
import pytest
from readers_testing import as_hwc, decode, physical, refused, rng  # noqa: F401


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
