"""DICOM slices as series and volumes: their order, what is missing, other axes, other distances."""

import numpy as np
import pydicom
import pytest

from dicom_testing import synthetic, written
from medical_testing import run


def make_series(tmp_path, positions, cosines=(1, 0, 0, 0, 1, 0), numbers=None, **attributes):
    """One file a position along the normal, in shuffled order. Pixels name their position."""
    normal = np.cross(cosines[:3], cosines[3:])
    random = np.random.default_rng(3)
    paths = [None] * len(positions)
    shuffled = random.permutation(len(positions))
    for place, index in enumerate(shuffled):
        pixels = np.full((6, 5), 100, np.int16) * int(index + 1)
        pixels[0, 0], pixels[0, 1], pixels[1, 0] = -7, -8, -9
        dataset = synthetic(pixels, 16, True, PixelSpacing=[0.5, 0.75], **attributes)
        dataset.ImageOrientationPatient = list(cosines)
        dataset.ImagePositionPatient = list(np.array([3.0, -4, 5]) + normal * positions[index])
        dataset.InstanceNumber = int(numbers[index]) if numbers else int(place)
        dataset.SeriesInstanceUID, dataset.SOPInstanceUID = "1.2.3.4", f"1.2.3.4.{index}"
        paths[place] = written(dataset, tmp_path, f"{place:03}.dcm")
    return paths


def levels(images):
    return [int(image.physical[3, 3]) // 100 - 1 for image in images]


OBLIQUE = tuple(np.linalg.qr(np.array([[0.9, 0.1], [0.3, 0.8], [-0.2, 0.5]]))[0].T.ravel())


@pytest.mark.parametrize("cosines", [(1, 0, 0, 0, 1, 0), (0, 1, 0, 0, 0, -1), OBLIQUE])
def test_series_are_sorted_by_position_whatever_their_numbers(cosines, tmp_path):
    paths = make_series(tmp_path, [2.5 * i for i in range(12)], cosines)
    items, _ = run(tmp_path, "scan", paths)
    assert len(items) == 1
    fields, images = items[0]
    assert levels(images) == list(range(12))
    assert fields["uniform"] and fields["series_spacing"] == pytest.approx(2.5)
    assert fields["series_notes"] == []
    assert len({image.fields["series"] for image in images}) == 1
    normal = np.cross(cosines[:3], cosines[3:])
    assert np.allclose(images[0].fields["normal"], normal, atol=1e-6)


def test_gaps_duplicates_and_varying_distances_are_noted(tmp_path):
    positions = [0, 2, 4, 10, 12, 14]
    items, _ = run(tmp_path, "scan", make_series(tmp_path, positions))
    assert items[0][0]["series_notes"] == ["gap of 2 slices after slice 2"]
    items, _ = run(tmp_path, "scan", make_series(tmp_path, [0, 2, 2, 4, 6]))
    assert items[0][0]["series_notes"] == ["1 slices at the position of another one"]
    items, _ = run(tmp_path, "scan", make_series(tmp_path, [0, 2, 4.7, 6.7, 8.7]))
    assert "varying distances" in items[0][0]["series_notes"][0]


def test_time_points_become_series_of_their_own(tmp_path):
    positions = [0, 0, 3, 3, 6, 6]
    items, _ = run(tmp_path, "scan", make_series(tmp_path, positions, numbers=[1, 2, 3, 4, 5, 6]))
    assert [levels(images) for _, images in items] == [[0, 2, 4], [1, 3, 5]]


def test_volumes_are_sliced_along_the_axes_of_the_patient(tmp_path):
    """Six sagittal slices, given out as axial and coronal ones."""
    # Rows run to the feet, columns to the back: the normal points to the patient's right.
    paths = make_series(tmp_path, [1.5 * i for i in range(6)], (0, 1, 0, 0, 0, -1))
    items, _ = run(tmp_path, "scan", paths)
    volume = np.stack([image.physical for image in items[0][1]])  # (left to right, z down, y back)
    items, _ = run(tmp_path, "scan", paths, "--axis", "axial")
    axial = items[0][1]
    assert len(axial) == 6 and axial[0].stored.shape == (5, 6)
    for k, image in enumerate(axial):  # From feet to head; rows to the back, columns to the left.
        assert np.array_equal(image.physical, volume[::-1, 5 - k, :].T)
    assert axial[0].fields["spacing"] == pytest.approx([0.75, 1.5, 0.5])
    assert np.allclose(axial[0].fields["normal"], [0, 0, 1])
    items, _ = run(tmp_path, "scan", paths, "--axis", "coronal")
    for k, image in enumerate(items[0][1]):
        assert np.array_equal(image.physical, volume[::-1, :, k].T)


def test_resampling_between_slices_uses_their_positions(tmp_path):
    # Values are linear in the position, so interpolation is exact, also across the missing slice.
    positions = [0, 2, 4, 8, 10]
    paths = make_series(tmp_path, positions)
    items, _ = run(tmp_path, "series", sorted_paths(paths), "--spacing", 0.5, "--spacing", 0.75,
                   "--spacing", 1)
    images = items[0][1]
    at = [image.fields["position"][2] - 5 for image in images]
    values = [image.physical[3, 3] for image in images]
    wanted = np.interp(at, positions, [100, 200, 300, 400, 500])
    assert np.allclose(values, wanted, atol=0.51)
    assert np.allclose(np.diff(at), 1)


def sorted_paths(paths):
    return sorted(paths, key=lambda p: pydicom.dcmread(p).ImagePositionPatient[2])


def test_empty_slices_are_left_out_and_counted(tmp_path):
    paths = make_series(tmp_path, [0, 1, 2, 3])
    for path in sorted_paths(paths)[:2]:
        dataset = pydicom.dcmread(path)
        dataset.PixelData = b"\0" * len(dataset.PixelData)
        dataset.save_as(path)
    items, _ = run(tmp_path, "scan", paths, "--skip_empty", 0.01)
    assert levels(items[0][1]) == [2, 3]
    assert items[0][1][-1].fields["notes"] == ["2 of 4 slices are empty and left out"]
