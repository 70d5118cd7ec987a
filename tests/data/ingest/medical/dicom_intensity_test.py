"""DICOM's windows, stored numbers, paddings and slopes against pydicom."""

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_modality_lut, apply_voi, apply_windowing, pixel_array

from dicom_testing import own_file, synthetic, windowed, written
from medical_testing import run


def pydicom_windowed(dataset, index=0):
    """apply_windowing after the modality step, as a share of its output range."""
    values = apply_modality_lut(pixel_array(dataset), dataset)
    out = apply_windowing(values, dataset, index=index).astype(np.float64)
    ends = np.array([[-1e9, 1e9]])
    low, high = apply_windowing(ends, dataset, index=index)[0]
    share = (out - low) / (high - low)
    return 1 - share if dataset.PhotometricInterpretation == "MONOCHROME1" else share


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "RG3_UNCI.dcm", "MR2_UNCI.dcm"])
def test_windows_equal_pydicom(name, function, tmp_path):
    dataset = pydicom.dcmread(own_file(name))
    values = apply_modality_lut(pixel_array(dataset), dataset)
    dataset.WindowCenter = [40, float(np.median(values)) + 1]
    dataset.WindowWidth = [400, max(2.0, float(np.ptp(values)) / 3)]
    dataset.WindowCenterWidthExplanation = ["ONE", "OTHER"]
    dataset.VOILUTFunction = function
    path = written(dataset, tmp_path)
    for index, option in enumerate((["--voi_index", 0], ["--voi_name", "OTHER"])):
        image = windowed(path, tmp_path, "--voi", "file", *option)
        assert image.fields["dtype"] == "uint16" and image.fields["bits"] == 16
        share = image.stored / 65535
        wanted = pydicom_windowed(dataset, index)
        assert np.abs(share - wanted).max() <= 0.51 / 65535
        assert np.ptp(wanted) > 0.1
        # Files' windows differ from image to image: shares of them have no unit.
        assert (image.fields["scale"], image.fields["offset"], image.fields["unit"]) == (1, 0, "")


def test_fixed_window_is_linear_in_hounsfield_units(tmp_path):
    path = own_file("CT_small.dcm")
    image = windowed(path, tmp_path, "--voi", "fixed", "--center", 40, "--width", 350)
    dataset = pydicom.dcmread(path)
    dataset.WindowCenter, dataset.WindowWidth = 40, 350
    assert np.abs(image.stored / 65535 - pydicom_windowed(dataset)).max() <= 0.51 / 65535
    assert image.fields["unit"] == "HU"
    # Physical values come out where they went in, inside the window.
    values = apply_modality_lut(pixel_array(dataset), dataset)
    inside = (values > -130) & (values < 210)
    assert inside.any() and np.abs(image.physical - values)[inside].max() <= 350 / 65535


def test_voi_table_equals_pydicom(tmp_path):
    path = own_file("vlut_04.dcm")
    dataset = pydicom.dcmread(path)
    image = windowed(path, tmp_path, "--voi", "file")
    assert np.array_equal(image.stored, apply_voi(pixel_array(dataset), dataset))


def test_a_window_that_is_not_there_is_a_reason(tmp_path):
    path = own_file("CT_small.dcm")
    items, _ = run(tmp_path, "files", [own_file("MR_small.dcm")], "--voi", "file", "--voi_index", 3)
    assert "voi_index is 3" in items[0][0]["status"]
    # None at all: the image's own range, and a remark.
    image = windowed(path, tmp_path, "--voi", "file")
    assert image.stored.min() == 0 and image.stored.max() == 65535
    assert any("no VOI window" in note for note in image.fields["notes"])


def test_monochrome1_is_inverted_and_keeps_its_physical_values(tmp_path):
    path = own_file("RG3_UNCI.dcm")
    dataset = pydicom.dcmread(path)
    image = windowed(path, tmp_path)
    values = pixel_array(dataset)
    assert np.array_equal(image.stored, 2**dataset.BitsStored - 1 - values)
    assert np.array_equal(image.physical, values)


@pytest.mark.parametrize("bits", range(8, 17))
@pytest.mark.parametrize("is_signed", [False, True])
def test_every_depth_with_rubbish_in_the_unused_bits(bits, is_signed, tmp_path):
    pixels = np.random.default_rng(bits).integers(0, 2**16, (9, 7)).astype(np.uint16)
    if bits == 8:
        pixels = pixels.astype(np.uint8)
    dataset = synthetic(pixels, bits, is_signed)
    image = windowed(written(dataset, tmp_path), tmp_path)
    values = pixel_array(pydicom.dcmread(tmp_path / "one.dcm"))
    assert np.array_equal(image.physical, values)
    assert image.fields["bits"] == bits
    assert image.stored.dtype == (np.uint8 if bits == 8 else np.uint16)
    assert image.stored.max() < 2**bits


def test_padding_becomes_the_mask(tmp_path):
    pixels = np.arange(60, dtype=np.int16).reshape(6, 10) - 20
    dataset = synthetic(pixels, 16, True, RescaleSlope=1, RescaleIntercept=-1000)
    dataset.add_new(0x00280120, "SS", -20)
    image = windowed(written(dataset, tmp_path), tmp_path)
    assert np.array_equal(image.mask == 0, pixels == -20)
    dataset.add_new(0x00280121, "SS", -5)
    image = windowed(written(dataset, tmp_path), tmp_path)
    assert np.array_equal(image.mask == 0, (pixels >= -20) & (pixels <= -5))


def test_a_table_wins_over_slope_and_intercept(tmp_path):
    dataset = pydicom.dcmread(own_file("mlut_18.dcm"))
    dataset.RescaleSlope, dataset.RescaleIntercept = 2, 7
    image = windowed(written(dataset, tmp_path), tmp_path)
    assert np.array_equal(image.physical, apply_modality_lut(pixel_array(dataset), dataset))


def test_real_slopes_give_float32_and_whole_ones_integers(tmp_path):
    pixels = np.arange(12, dtype=np.uint16).reshape(3, 4)
    for slope, intercept, dtype in ((0.5, 0, "float32"), (2, -3, "uint16"), (1, 0.25, "float32")):
        dataset = synthetic(pixels, 12, False, RescaleSlope=slope, RescaleIntercept=intercept)
        image = windowed(written(dataset, tmp_path), tmp_path)
        assert image.fields["dtype"] == dtype
        assert np.array_equal(image.physical, pixels.astype(float) * slope + intercept)
