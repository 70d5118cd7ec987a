"""DICOM files that tests read and make: those of pydicom-data and of pydicom itself, and small CT slices."""
import importlib.util
import logging
import os
import warnings

import pydicom
from medical_testing import run

# Of pydicom's, about files that are damaged on purpose.
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


def own_file(name):
    return next(path for path in OWN_FILES + DATA_FILES if os.path.basename(path) == name)


def windowed(path, tmp_path, *options):
    items, _ = run(tmp_path, "files", [path], "--keep", "all", *options)
    assert items[0][0]["status"] == ""
    return items[0][1][0]


def written(dataset, tmp_path, name="one.dcm"):
    path = str(tmp_path / name)
    dataset.save_as(path)
    return path


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
