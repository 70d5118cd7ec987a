"""DICOM against pydicom: every file of pydicom-data and of pydicom itself.

Run by hand with a file name as its argument it writes the table of docs/medical.md:

    LANGEVIN_MEDICAL_DUMP=build/tests/data/ingest/medical/langevin_medical_dump \
        .deps/venv/bin/python tests/data/ingest/medical/dicom_test.py docs/medical.md
"""
import collections
import importlib.util
import logging
import os
import sys
import tempfile
import warnings

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_color_lut, apply_modality_lut, apply_voi, apply_windowing
from pydicom.pixels import pixel_array

sys.path.insert(0, os.path.dirname(__file__))
from medical_testing import run  # noqa: E402

warnings.simplefilter("ignore")
logging.disable(logging.CRITICAL)

NOT_DICOM = (".py", ".pyc", ".json", ".txt", ".dump", ".md", ".gz", ".icc")


def files_of(package, folder):
    root = os.path.join(os.path.dirname(importlib.util.find_spec(package).origin), folder)
    found = []
    for path, _, names in os.walk(root):
        found += [os.path.join(path, name) for name in names if not name.endswith(NOT_DICOM)]
    return sorted(found)


DATA_FILES = files_of("data_store", "data")
OWN_FILES = files_of("pydicom", "data")


def frames_of(array, dataset):
    return list(array) if int(dataset.get("NumberOfFrames") or 1) > 1 else [array]


def frame_attributes(dataset, frame):
    """The data set with the rescale values of a frame's functional group, as pydicom's functions
    look at the top of a data set only."""
    for groups in (
        dataset.get("PerFrameFunctionalGroupsSequence", [])[frame : frame + 1],
        dataset.get("SharedFunctionalGroupsSequence", [])[:1],
    ):
        for group in groups:
            for item in group.get("PixelValueTransformationSequence", [])[:1]:
                flat = pydicom.Dataset()
                flat.RescaleSlope = item.RescaleSlope
                flat.RescaleIntercept = item.RescaleIntercept
                return flat
    return dataset


def swap_palette(dataset):
    """pydicom 3.0.2 takes palettes of big-endian files in the machine's byte order: without this
    OBXXXX1A_expb.dcm has other colours than its little-endian twin."""
    if dataset.file_meta.get("TransferSyntaxUID") == pydicom.uid.ExplicitVRBigEndian:
        for color in ("Red", "Green", "Blue"):
            element = dataset[f"{color}PaletteColorLookupTableData"]
            element.value = np.frombuffer(element.value, "u2").byteswap().tobytes()


def expected(path):
    """What pydicom makes of a file: for each of its decoders that takes it, the frames after the
    modality step. Empty: pydicom cannot decode it."""
    dataset = pydicom.dcmread(path, force=True)
    if "RedPaletteColorLookupTableData" in dataset and "PixelData" in dataset:
        swap_palette(dataset)
    results = []
    for plugin in ("", "pylibjpeg", "gdcm"):
        try:
            array = pixel_array(dataset, decoding_plugin=plugin)
        except Exception:
            continue
        frames = []
        for index, frame in enumerate(frames_of(array, dataset)):
            if dataset.PhotometricInterpretation == "PALETTE COLOR":
                frames.append(apply_color_lut(frame, dataset).astype(np.float64))
            elif frame.ndim == 2:
                rescaled = apply_modality_lut(frame, frame_attributes(dataset, index))
                frames.append(rescaled.astype(np.float64))
            else:
                frames.append(frame.astype(np.float64))
        results.append(frames)
    return results


# Lossy JPEG of 12 bits: pydicom's only decoder of it (libjpeg) has another inverse cosine transform
# than GDCM's, and the standard lets both round as they do.
WITHIN_ONE = ("JPGExtended.dcm",)


def equal(images, frames, atol=0):
    if len(images) != len(frames):
        return False
    for image, frame in zip(images, frames):
        if image.stored.shape != frame.shape:
            return False
        if not np.allclose(image.physical, frame, rtol=1e-6, atol=atol):
            return False
    return True


def compare(files):
    """A row for each file: (name, outcome, detail)."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for begin in range(0, len(files), 40):
            part = files[begin : begin + 40]
            items, _ = run(folder, "files", part, "--keep", "all")
            assert len(items) == len(part)
            for path, (fields, images) in zip(part, items):
                reference = expected(path)
                if fields["status"]:
                    outcome = "refused" if reference else "both cannot"
                    assert not images or reference
                elif not reference:
                    outcome = "only Langevin"
                else:
                    outcome = "equal" if any(equal(images, r) for r in reference) else "different"
                    if outcome == "different" and os.path.basename(path) in WITHIN_ONE:
                        outcome = "within 1" if equal(images, reference[0], 1) else outcome
                rows.append((path, outcome, fields["status"]))
    return rows


def check(rows):
    wrong = [row for row in rows if row[1] in ("refused", "different")]
    assert not wrong, "\n".join(map(str, wrong))


def test_every_file_of_pydicom_data():
    assert len(DATA_FILES) == 68
    check(compare(DATA_FILES))


def test_every_file_inside_pydicom():
    assert len(OWN_FILES) > 150
    check(compare(OWN_FILES))


# --- VOI ---


def windowed(path, tmp_path, *options):
    items, _ = run(tmp_path, "files", [path], "--keep", "all", *options)
    assert items[0][0]["status"] == ""
    return items[0][1][0]


def pydicom_windowed(dataset, index=0):
    """apply_windowing after the modality step, as a share of its output range."""
    values = apply_modality_lut(pixel_array(dataset), dataset)
    out = apply_windowing(values, dataset, index=index).astype(np.float64)
    ends = np.array([[-1e9, 1e9]])
    low, high = apply_windowing(ends, dataset, index=index)[0]
    share = (out - low) / (high - low)
    return 1 - share if dataset.PhotometricInterpretation == "MONOCHROME1" else share


def written(dataset, tmp_path, name="one.dcm"):
    path = str(tmp_path / name)
    dataset.save_as(path)
    return path


def own_file(name):
    return next(path for path in OWN_FILES + DATA_FILES if os.path.basename(path) == name)


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


# --- Stored numbers ---


def synthetic(pixels, bits_stored, is_signed, **attributes):
    """A small CT slice; keyword arguments are attributes to set."""
    dataset = pydicom.dcmread(own_file("CT_small.dcm"))
    for name in ("RescaleSlope", "RescaleIntercept", "PixelPaddingValue"):
        delattr(dataset, name)
    for name in list(attributes):
        setattr(dataset, name, attributes[name])
    dataset.Rows, dataset.Columns = pixels.shape
    dataset.BitsAllocated = 8 * pixels.dtype.itemsize
    dataset.BitsStored, dataset.HighBit = bits_stored, bits_stored - 1
    dataset.PixelRepresentation = int(is_signed)
    dataset.PixelData = pixels.tobytes() + b"\0" * (pixels.nbytes % 2)
    dataset["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"
    return dataset


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


# --- What is damaged or no image ---


def test_reasons_for_files_without_an_image(tmp_path):
    for name, reason in (
        ("DICOMDIR", "is a DICOMDIR"),
        ("test-SR.dcm", "structured report"),
        ("rtplan.dcm", "radiotherapy plan"),
        ("waveform_ecg.dcm", "waveform"),
        ("hotiron.dcm", "palette"),
        ("MR_truncated.dcm", "truncated"),
        ("badVR.dcm", "number of frames"),
    ):
        items, _ = run(tmp_path, "files", [own_file(name)], "--keep", "all")
        assert reason in items[0][0]["status"] and not items[0][1]


@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small_RLE.dcm", "JPEG2000.dcm", "JPGExtended.dcm", "image_dfl.dcm",
             "MR_small_jpeg_ls_lossless.dcm", "emri_small.dcm", "SC_rgb_jpeg_dcmtk.dcm"])
def test_no_cut_or_flipped_byte_crashes_a_reader(name, tmp_path):
    with open(own_file(name), "rb") as file:
        good = file.read()
    random = np.random.default_rng(7)
    paths = []
    for index in range(60):
        data = bytearray(good)
        if index < 30:
            data = data[: int(random.integers(1, len(good)))]
        else:
            for place in random.integers(132, min(len(good), 4000), 8):
                data[place] = int(random.integers(0, 256))
        paths.append(tmp_path / f"{index}.dcm")
        paths[-1].write_bytes(data)
    items, _ = run(tmp_path, "files", paths, "--keep", "all")
    assert len(items) == 60


# --- Series ---


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


# --- Privacy ---


def identifiers(dataset):
    found = set()
    for element in dataset.iterall():
        if element.VR in ("PN", "LO", "SH", "ST", "LT", "UT", "DA", "DT", "UI", "AE"):
            values = element.value if element.VM > 1 else [element.value]
            found |= {str(value) for value in values or []}
    # Codes of the standard name nobody, and a few letters are found anywhere.
    return {v for v in found if len(v) >= 6 and not v.startswith("1.2.840.10008.")}


def test_nothing_that_names_somebody_leaves_the_readers(tmp_path):
    leaks = []
    for files in (DATA_FILES, OWN_FILES):
        files = [path for path in files if "3d_jpeg" not in path]
        for mode in ("files", "scan"):
            items, _ = run(tmp_path, mode, files, "--keep", "all")
            text = repr([fields for fields, _ in items]) + repr(
                [image.fields for _, images in items for image in images])
            for path in files:
                try:
                    dataset = pydicom.dcmread(path, force=True)
                    names = identifiers(dataset)
                except Exception:
                    continue
                leaks += [(path, name) for name in names if name in text]
                name = os.path.basename(path)
                leaks += [path] if len(name) >= 8 and name in text.replace("a DICOMDIR", "") else []
    assert not leaks


def test_planted_identifiers_appear_nowhere(tmp_path):
    dataset = pydicom.dcmread(own_file("CT_small.dcm"))
    secret = "Xyzzy"
    dataset.PatientName, dataset.PatientID = f"{secret}^Name", f"{secret}-4711"
    for name in ("StudyDescription", "SeriesDescription", "ProtocolName", "InstitutionName",
                 "RequestedProcedureDescription", "ImageComments"):
        setattr(dataset, name, f"{secret} {name}")
    dataset.WindowCenter, dataset.WindowWidth = 40, 400
    dataset.WindowCenterWidthExplanation = f"{secret} window"
    dataset.RescaleType = f"{secret}"
    dataset.Modality = f"{secret}"
    dataset.SeriesInstanceUID = "1.2.3.987654321"
    private = dataset.private_block(0x0029, secret, create=True)
    private.add_new(1, "LO", secret)
    folder = tmp_path / secret
    folder.mkdir()
    path = written(dataset, folder, f"{secret}.dcm")
    bad = written(dataset, folder, f"{secret}2.dcm")
    with open(bad, "r+b") as file:
        file.truncate(os.path.getsize(bad) - 5)
    for mode in ("files", "scan"):
        items, data = run(tmp_path, mode, [path, bad], "--voi", "file")
        text = repr([(f, [image.fields for image in images]) for f, images in items])
        assert items[0][0]["status"] == ""
        assert secret not in text and "987654321" not in text and "4711" not in text
        assert secret.encode() not in data


def test_groups_are_keyed_hashes_of_the_patient(tmp_path):
    import hashlib
    import hmac

    dataset = pydicom.dcmread(own_file("CT_small.dcm"))
    image = windowed(own_file("CT_small.dcm"), tmp_path)
    for field, purpose, value in (("group", b"patient", dataset.PatientID),
                                  ("series", b"series", dataset.SeriesInstanceUID)):
        wanted = hmac.new(b"sixteen bytes and more", purpose + b"\0" + value.encode(),
                          hashlib.sha256).hexdigest()[:16]
        assert image.fields[field] == wanted


def test_what_may_show_a_name_is_set_aside_unless_kept(tmp_path):
    dataset = pydicom.dcmread(own_file("CT_small.dcm"))
    dataset.BurnedInAnnotation = "YES"
    burned = written(dataset, tmp_path)
    for path, reason in ((burned, "keep_burned_in"),
                         (own_file("US1_UNCI.dcm"), "keep_burned_in"),
                         (own_file("SC_rgb_small_odd.dcm"), "keep_secondary_capture")):
        items, _ = run(tmp_path, "files", [path])
        assert reason in items[0][0]["status"] and not items[0][1]
        items, _ = run(tmp_path, "files", [path], "--keep", "all")
        assert items[0][0]["status"] == "" and len(items[0][1]) == 1


OUTCOMES = {
    "equal": "equal to pydicom after the modality step",
    "within 1": "equal within 1 (lossy JPEG of 12 bits, another inverse cosine transform)",
    "only Langevin": "read by Langevin, not by pydicom",
    "both cannot": "reported with a reason, as pydicom cannot decode it either",
    "refused": "reported with a reason, though pydicom decodes it",
    "different": "other pixels than pydicom's",
}


def table():
    """Markdown: counts by outcome, and the reasons of all that is reported."""
    results = {name: compare(files) for name, files in (("pydicom-data 1.0.0", DATA_FILES),
                                                       ("inside pydicom 3.0.2", OWN_FILES))}
    lines = ["| | " + " | ".join(results) + " |", "| --- |" + " ---: |" * len(results)]
    counts = [collections.Counter(row[1] for row in rows) for rows in results.values()]
    for outcome, text in OUTCOMES.items():
        lines.append(f"| {text} | " + " | ".join(str(count[outcome]) for count in counts) + " |")
    lines.append("| files | " + " | ".join(str(len(rows)) for rows in results.values()) + " |")
    lines.append("| crashed or dropped silently | " + " | ".join("0" for _ in results) + " |")
    reasons = collections.Counter(row[2] for rows in results.values() for row in rows if row[2])
    lines += ["", "Reasons of those reported: " + "; ".join(
        f"{reason} ({count})" for reason, count in sorted(reasons.items())) + "."]
    others = [os.path.basename(row[0]) for rows in results.values() for row in rows
              if row[1] == "only Langevin"]
    return "\n".join(lines + ["", "Only Langevin: " + ", ".join(sorted(others)) + "."])


if __name__ == "__main__":
    if len(sys.argv) == 1:
        print(table())
    else:
        with open(sys.argv[1], encoding="utf-8") as file:
            head, rest = file.read().split("<!-- dicom_test.py writes this -->\n", 1)
            _, tail = rest.split("<!-- to here -->\n", 1)
        with open(sys.argv[1], "w", encoding="utf-8") as file:
            file.write(head + "<!-- dicom_test.py writes this -->\n" + table() + "\n"
                       + "<!-- to here -->\n" + tail)
