"""NIfTI against nibabel, on real files and on every orientation."""
import glob
import importlib.util
import itertools
import os
import sys

import nibabel
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, apply_orientation
from scipy import ndimage

sys.path.insert(0, os.path.dirname(__file__))
from medical_testing import run  # noqa: E402

NIBABEL_DATA = os.path.join(
    os.path.dirname(importlib.util.find_spec("nibabel").origin), "tests", "data")
# What of nibabel's data is an image of voxels (others are CIFTI matrices or headers alone).
REAL_FILES = sorted(
    glob.glob("/usr/share/mricron/templates/*.nii.gz")
    + [os.path.join(NIBABEL_DATA, name)
       for name in ("anatomical.nii", "functional.nii", "example4d.nii.gz",
                    "example_nifti2.nii.gz", "reoriented_anat_moved.nii",
                    "resampled_anat_moved.nii", "standard.nii.gz")])


def canonical(image):
    """Volumes with axes to the patient's right, front and head, by nibabel, as float64."""
    image = nibabel.as_closest_canonical(image)
    data = np.asarray(image.dataobj).astype(np.float64)
    data = data.reshape(data.shape + (1,) * (3 - data.ndim))
    data = data.reshape(data.shape[:3] + (-1,), order="F")
    return [data[..., i] for i in range(data.shape[3])], image.affine


# Slices as a radiologist looks at them, out of such a volume.
def axial(volume):
    return [volume[::-1, ::-1, k].T for k in range(volume.shape[2])]


def coronal(volume):
    return [volume[::-1, j, ::-1].T for j in reversed(range(volume.shape[1]))]


def sagittal(volume):
    return [volume[i, ::-1, ::-1].T for i in reversed(range(volume.shape[0]))]


VIEWS = {"axial": axial, "coronal": coronal, "sagittal": sagittal}


def acquired(image):
    """The view that is nearest to the file's third axis."""
    axis = int(nibabel.io_orientation(image.affine)[2, 0])
    return (sagittal, coronal, axial)[axis]


def check(images, slices):
    assert len(images) == len(slices)
    for image, wanted in zip(images, slices):
        assert image.stored.shape == wanted.shape
        assert np.allclose(image.physical, wanted, rtol=1e-6, atol=1e-30, equal_nan=True)


@pytest.mark.parametrize("path", REAL_FILES, ids=os.path.basename)
def test_real_files_equal_nibabel_in_every_view(path, tmp_path):
    image = nibabel.load(path)
    volumes, _ = canonical(image)
    big = image.shape[0] * image.shape[1] * image.shape[2] > 2e6
    for axis in ["acquired"] if big else ["acquired", *VIEWS]:
        items, _ = run(tmp_path, "files", [path], "--axis", axis)
        assert items[0][0]["status"] == ""
        view = VIEWS.get(axis) or acquired(image)
        check(items[0][1], [piece for volume in volumes for piece in view(volume)])


ORIENTATIONS = ["".join(c) for p in itertools.permutations(("RL", "AP", "SI"))
                for c in itertools.product(*p)]


def oriented(codes, affine, data):
    """`data`, an RAS volume with `affine`, as a file that stores it in another order."""
    transform = nibabel.orientations.ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(codes))
    turned = apply_orientation(data, transform)
    return turned, affine @ inv_ornt_aff(transform, data.shape)


@pytest.mark.parametrize("form", ["sform", "qform", "both"])
def test_all_48_orientations_come_out_the_same(form, tmp_path):
    assert len(ORIENTATIONS) == 48
    data = np.random.default_rng(1).integers(-3000, 3000, (4, 5, 6)).astype(np.int16)
    turn = nibabel.affines.from_matvec(nibabel.eulerangles.euler2mat(0.1, -0.2, 0.15), [3, -7, 11])
    affine = turn @ np.diag([0.8, 1.5, 2.5, 1])
    paths, wanted = [], []
    for codes in ORIENTATIONS:
        turned, turned_affine = oriented(codes, affine, data)
        image = nibabel.Nifti1Image(turned, None)
        image.set_sform(turned_affine if form != "qform" else np.eye(4),
                        1 if form != "qform" else 0)
        # Where both are there, the sform counts: the qform says something else.
        image.set_qform(turned_affine if form != "both" else np.diag([1, 1, -1, 1.0]),
                        0 if form == "sform" else 1)
        paths.append(str(tmp_path / f"{codes}.nii"))
        nibabel.save(image, paths[-1])
    for axis, view in VIEWS.items():
        items, _ = run(tmp_path, "files", paths, "--axis", axis)
        for fields, images in items:
            assert fields["status"] == ""
            check(images, view(data.astype(float)))
            # The first voxel of the first axial slice is the patient's right, front and foot.
            if axis == "axial":
                right_front_foot = affine @ [3, 4, 0, 1]
                wanted = right_front_foot[:3] * [-1, -1, 1]
                assert np.allclose(images[0].fields["position"], wanted, atol=1e-3)
                assert images[0].fields["spacing"] == pytest.approx([1.5, 0.8, 2.5], rel=1e-4)


@pytest.mark.parametrize("dtype", ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
def test_every_datatype_in_both_byte_orders(dtype, order, kind, tmp_path):
    random = np.random.default_rng(2)
    limits = (np.iinfo(dtype) if dtype[0] in "iu" else np.finfo("f4"))
    data = random.uniform(float(limits.min) / 2, float(limits.max) / 2, (3, 4, 2)).astype(dtype)
    header = kind.header_class(endianness=order)
    header.set_data_dtype(np.dtype(dtype).newbyteorder(order))
    image = kind(data, np.eye(4), header)
    for name in ("a.nii", "a.nii.gz"):
        nibabel.save(image, tmp_path / name)
        items, _ = run(tmp_path, "files", [tmp_path / name])
        assert items[0][0]["status"] == ""
        check(items[0][1], axial(data.astype(np.float64)))
    small = dtype in ("u1", "i1", "i2", "u2")
    assert items[0][1][0].stored.dtype.kind == ("u" if small else "f")


def test_scale_and_intercept(tmp_path):
    data = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    for slope, intercept, dtype in ((1, -1024, "uint16"), (2, 0, "uint16"), (0.25, 3, "float32")):
        image = nibabel.Nifti1Image(data, np.eye(4))
        image.header.set_slope_inter(slope, intercept)
        path = tmp_path / "scaled.nii"
        nibabel.save(image, path)
        # nibabel clears the scale on saving; put it where the standard has it.
        with open(path, "r+b") as file:
            file.seek(112)
            file.write(np.array([slope, intercept], "<f4").tobytes())
        items, _ = run(tmp_path, "files", [path])
        assert items[0][1][0].fields["dtype"] == dtype
        check(items[0][1], axial(data * slope + intercept))
        assert np.allclose(np.asarray(nibabel.load(path).dataobj), data * slope + intercept)


@pytest.mark.parametrize("kind", [nibabel.Nifti1Pair, nibabel.Spm99AnalyzeImage,
                                  nibabel.AnalyzeImage])
def test_pairs_by_either_name(kind, tmp_path):
    data = np.random.default_rng(4).integers(0, 3000, (4, 5, 6)).astype(np.int16)
    nibabel.save(kind(data, np.diag([-2, 2, 3, 1.0])), tmp_path / "pair.img")
    volumes, _ = canonical(nibabel.load(tmp_path / "pair.img"))
    for name in ("pair.hdr", "pair.img"):
        items, _ = run(tmp_path, "files", [tmp_path / name])
        assert items[0][0]["status"] == ""
        check(items[0][1], axial(volumes[0]))


def test_colours_and_several_volumes(tmp_path):
    rgb = np.zeros((3, 4, 2), [("R", "u1"), ("G", "u1"), ("B", "u1")])
    rgb["R"], rgb["G"] = 10, np.arange(24).reshape(3, 4, 2)
    nibabel.save(nibabel.Nifti1Image(rgb, np.eye(4)), tmp_path / "rgb.nii")
    items, _ = run(tmp_path, "files", [tmp_path / "rgb.nii"])
    assert np.array_equal(items[0][1][1].stored[..., 1], rgb["G"][::-1, ::-1, 1].T)
    many = np.random.default_rng(5).normal(size=(3, 4, 2, 3, 2)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(many, np.eye(4)), tmp_path / "many.nii")
    items, _ = run(tmp_path, "files", [tmp_path / "many.nii"])
    volumes, _ = canonical(nibabel.load(tmp_path / "many.nii"))
    check(items[0][1], [piece for volume in volumes for piece in axial(volume)])
    assert items[0][1][0].fields["images_in_file"] == 12


def test_finer_spacing_equals_scipys_linear_interpolation(tmp_path):
    data = np.random.default_rng(6).normal(size=(6, 7, 5)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(data, np.diag([2, 2, 2, 1.0])), tmp_path / "a.nii")
    items, _ = run(tmp_path, "files", [tmp_path / "a.nii"], "--spacing", 1, "--spacing", 1,
                   "--spacing", 1)
    wanted = ndimage.zoom(data.astype(float), 2, order=1, mode="nearest", grid_mode=True)
    assert len(items[0][1]) == 10
    for image, piece in zip(items[0][1], axial(wanted)):
        assert np.allclose(image.physical, piece, atol=1e-5)


def test_coarser_spacing_is_the_mean_over_the_new_voxel(tmp_path):
    data = np.random.default_rng(7).normal(size=(6, 8, 4)).astype(np.float32)
    nibabel.save(nibabel.Nifti1Image(data, np.diag([1, 1, 1, 1.0])), tmp_path / "a.nii")
    items, _ = run(tmp_path, "files", [tmp_path / "a.nii"], "--spacing", 2, "--spacing", 3,
                   "--spacing", 4)
    wanted = data.reshape(2, 3, 4, 2, 1, 4).mean(axis=(1, 3, 5))
    assert len(items[0][1]) == 1
    assert np.allclose(items[0][1][0].physical, axial(wanted)[0], atol=1e-5)
    assert items[0][1][0].fields["spacing"] == [2, 3, 4]


def test_damaged_files_give_reasons_and_take_no_memory(tmp_path):
    nibabel.save(nibabel.Nifti1Image(np.zeros((3, 4, 5), np.int16), np.eye(4)), tmp_path / "a.nii")
    good = (tmp_path / "a.nii").read_bytes()

    def patched(offset, value, dtype):
        raw = np.array(value, dtype).tobytes()
        return good[:offset] + raw + good[offset + len(raw):]

    cases = {
        "cut": (good[:-1], "truncated"),
        "short": (good[:200], "shorter than a header"),
        "dims": (patched(40, 9, "<i2"), "9 dimensions"),
        "negative": (patched(42, -3, "<i2"), "dimension 1 is -3"),
        "huge": (patched(40, [3, 32767, 32767, 32767], "<i2"), "too many voxels"),
        "type": (patched(70, 32, "<i2"), "datatype 32"),
        "offset": (patched(108, np.nan, "<f4"), "begin nowhere"),
    }
    for name, (contents, reason) in cases.items():
        path = tmp_path / f"{name}.nii"
        path.write_bytes(contents)
        items, _ = run(tmp_path, "files", [path])
        assert reason in items[0][0]["status"], name


def test_no_flipped_byte_of_a_header_crashes(tmp_path):
    data = np.zeros((2, 2, 2), np.int16)
    random = np.random.default_rng(8)
    paths = []
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        nibabel.save(kind(data, np.eye(4)), tmp_path / "a.nii")
        good = (tmp_path / "a.nii").read_bytes()
        for index in range(150):
            raw = bytearray(good)
            for place in random.integers(0, len(good), 4):
                raw[place] = int(random.integers(0, 256))
            paths.append(tmp_path / f"{kind.__name__}{index}.nii")
            paths[-1].write_bytes(raw)
    items, _ = run(tmp_path, "files", paths)
    assert len(items) == 300
