"""DICOM against pydicom: every file of pydicom-data and of pydicom itself.

Run by hand with a file name as its argument it writes the table of docs/medical.md:

    LANGEVIN_MEDICAL_DUMP=build/tests/data/ingest/medical/langevin_medical_dump \
        .deps/venv/bin/python tests/data/ingest/medical/dicom_test.py docs/medical.md
"""
import collections
import os
import sys
import tempfile

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_color_lut, apply_modality_lut, pixel_array

sys.path.insert(0, os.path.dirname(__file__))
from dicom_testing import DATA_FILES, OWN_FILES, own_file  # noqa: E402
from medical_testing import run  # noqa: E402


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
