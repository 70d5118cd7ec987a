"""`langevin prepare` as a program: ranks, signals, configs, and HU in giving HU out."""
import hashlib
import json
import os
import pathlib
import signal
import subprocess
import time

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import load_file

from conftest import ENVIRONMENT, LANGEVIN, run, train_arguments


def tree(folder):
    """Digests of all files below a folder."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(pathlib.Path(folder).rglob("*")) if path.is_file()}


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """600 RGB images of mixed sizes in two classes."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(1)
    for i in range(600):
        path = folder / "ab"[i % 2] / f"{i}.png"
        path.parent.mkdir(exist_ok=True)
        height, width = rng.integers(20, 60, 2)
        Image.fromarray(rng.integers(0, 256, (height, width, 3), dtype=np.uint8)).save(path)
    return folder


SIZE = ["--set", "geometry.height=16", "--set", "geometry.width=16", "--set", "geometry.fit=CROP"]


def test_ranks_do_not_change_a_byte(photos, tmp_path):
    for ranks in (0, 2, 3):
        (tmp_path / f"{ranks}").mkdir()  # report.html has the data set's name.
        run(["prepare", "--input", photos, "--output", tmp_path / f"{ranks}" / "data", *SIZE,
             "--validation_fraction", 0.2, "--set", "intensity.mode=DATASET_ZSCORE"], ranks=ranks)
    assert tree(tmp_path / "0") == tree(tmp_path / "2") == tree(tmp_path / "3")


def test_buckets_are_data_sets(photos, tmp_path):
    run(["prepare", "--input", photos, "--output", tmp_path / "data",
         "--set", "geometry.buckets=[16x16,12x20,20x12]", "--set", "geometry.fit=CROP"])
    total = 0
    for name in ("16x16", "12x20", "20x12"):
        text = run(["inspect", tmp_path / "data" / name]).stdout
        assert f"{name.replace('x', ' x ')} x 3 uint8" in text
        total += int(text.split("\ntrain ")[1].split()[0])
    assert total == 600


def test_a_signal_ends_it_with_75_and_it_goes_on(photos, tmp_path):
    arguments = ["prepare", "--input", photos, "--output", tmp_path / "data", "--workers", 1, *SIZE]
    process = subprocess.Popen([LANGEVIN, *map(str, arguments)], env=ENVIRONMENT, stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "data.preparing" / "journal").exists():
        time.sleep(0.001)
    process.send_signal(signal.SIGUSR1)
    message = process.communicate(timeout=60)[1]
    assert process.returncode == 75, message
    assert "again" in message
    assert not (tmp_path / "data").exists()
    assert "going on" in run(arguments).stderr
    run(["prepare", "--input", photos, "--output", tmp_path / "reference", *SIZE])
    # report.html has the data set's name.
    ours, theirs = tree(tmp_path / "data"), tree(tmp_path / "reference")
    assert ours.pop("report.html") and theirs.pop("report.html")
    assert ours == theirs


def test_bad_configs_name_the_place(photos, tmp_path):
    config = tmp_path / "prepare.textproto"
    config.write_text("geometry {\n  height: 16\n  widht: 16\n}\n")
    process = run(["prepare", "--input", photos, "--output", tmp_path / "x", "--config", config], check=False)
    assert process.returncode == 3
    assert f"{config}:3" in process.stderr and "geometry.widht" in process.stderr and "width" in process.stderr
    process = run(["prepare", "--input", photos, "--output", tmp_path / "x", "--set", "shards.shard_mib=9999"], check=False)
    assert process.returncode == 3 and "1 to 4096" in process.stderr
    process = run(["prepare", "--input", photos, "--output", tmp_path / "x", "--config", "nothing_like_it"], check=False)
    assert process.returncode == 3
    assert not (tmp_path / "x").exists()


def test_another_fingerprint_is_refused_on_resume(photos, tmp_path, config):
    for folder in ("a", "b"):
        os.makedirs(tmp_path / "in" / folder)
    for i in range(64):
        Image.fromarray(np.full((8, 8), i, np.uint8)).save(tmp_path / "in" / "ab"[i % 2] / f"{i}.png")
    run(["prepare", "--input", tmp_path / "in", "--output", tmp_path / "v1"])
    run(train_arguments(config, tmp_path / "v1", tmp_path / "run", "--set", "train.total_images=32"))
    Image.fromarray(np.full((8, 8), 99, np.uint8)).save(tmp_path / "in" / "a" / "new.png")
    run(["prepare", "--append", tmp_path / "v1", "--input", tmp_path / "in", "--output", tmp_path / "v2"])
    process = run(train_arguments(config, tmp_path / "v2", tmp_path / "run"), check=False)
    assert process.returncode == 3 and "data set" in process.stderr


def make_ct(folder):
    """Slices with HU from -1000 to 2000, as DICOM with intercept -1024."""
    from pydicom.dataset import FileDataset, FileMetaDataset
    from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

    folder.mkdir()
    study, series = generate_uid(), generate_uid()
    rng = np.random.default_rng(3)
    slices = []
    for i in range(32):
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = CTImageStorage
        meta.MediaStorageSOPInstanceUID = generate_uid()
        meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
        ds.SOPClassUID, ds.SOPInstanceUID = CTImageStorage, meta.MediaStorageSOPInstanceUID
        ds.PatientID, ds.PatientName, ds.Modality = "secret-4711", "Doe^John", "CT"
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.InstanceNumber = study, series, 32 - i
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [0, 0, 2.0 * i], [1, 0, 0, 0, 1, 0]
        ds.PixelSpacing = [1, 1]
        hu = rng.integers(-1000, 2001, (8, 8))
        slices.append(hu)
        ds.Rows = ds.Columns = 8
        ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, -1024, "HU"
        ds.PixelData = (hu + 1024).astype("<u2").tobytes()
        ds.save_as(folder / f"john_doe_{31 - i:02}.dcm", write_like_original=False)
    return np.stack(slices)


def test_hu_in_is_hu_out(tmp_path, config):
    import h5py

    hu = make_ct(tmp_path / "ct")
    run(["prepare", "--input", tmp_path / "ct", "--output", tmp_path / "data",
         "--set", "intensity.mode=WINDOW", "--set", "intensity.low=-1000", "--set", "intensity.high=2000"])
    salt = tmp_path / "data.salt"
    assert salt.stat().st_mode & 0o777 == 0o600
    # No identifier is anywhere in the data set.
    for path in (tmp_path / "data").iterdir():
        contents = path.read_bytes()
        for identifier in (b"4711", b"Doe", b"john_doe"):
            assert identifier not in contents, (path, identifier)
    with h5py.File(next((tmp_path / "data").glob("train-*.h5"))) as shard:
        stored = shard["images"][:].astype(np.float64)
        model = stored * shard.attrs["intensity_scale"] + shard.attrs["intensity_offset"]
    # In the order of positions, whatever the files are called; the window's ends at -1 and 1.
    np.testing.assert_allclose(model[..., 0], hu / 1500 - 1 / 3, atol=1e-9)

    run(train_arguments(config, tmp_path / "data", tmp_path / "run", "--set", "train.total_images=32"))
    run(["export", "--run", tmp_path / "run", "--output", tmp_path / "model"])
    facts = json.loads((tmp_path / "model" / "langevin.json").read_text())
    assert facts["physical_unit"] == "HU"
    run(["sample", "--model", tmp_path / "model", "--output", tmp_path / "samples", "--count", 2, "--steps", 2])
    samples = load_file(tmp_path / "samples" / "samples.safetensors")["samples"]
    physical = load_file(tmp_path / "samples" / "physical.safetensors")["physical"]
    expected = np.clip(np.rint((samples.astype(np.float64) + 1 / 3) * 1500), -1000, 2000)
    assert np.abs(physical - expected).max() <= 1  # A half may go either way.
    image = Image.open(tmp_path / "samples" / "000000.png")
    assert image.mode.startswith("I") and np.asarray(image).max() > 255


def test_dry_run_writes_the_report_only(photos, tmp_path):
    text = run(["prepare", "--input", photos, "--output", tmp_path / "data", "--dry_run", *SIZE]).stdout
    assert "train 600" in text
    assert {path.name for path in tmp_path.iterdir()} == {"data.report.html"}
