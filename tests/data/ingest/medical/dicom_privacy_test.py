"""Nothing that names a patient leaves the readers of DICOM."""
import hashlib
import hmac
import os

import pydicom

from dicom_testing import DATA_FILES, OWN_FILES, own_file, windowed, written
from medical_testing import run


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
