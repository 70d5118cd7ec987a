"""`langevin prepare` beside peer_prepare.py on the same files, in turns.

    compare_prepare.py --langevin build/langevin --work /tmp/compare [--repeat 3] [--sets png28,clipart,jpeg]

Each program gets two workers, and its time is that of the whole command. The script runs twice: bare
(decoding, size, checksum, HDF5), and with the quality measures that prepare always takes: the same
work. Prints JSON lines: one a run, then one a set with the best of each.
Sets: png28 (60,000 gray PNGs of 28 x 28 made of Fashion-MNIST), clipart (Debian's openclipart-png,
colour PNGs of mixed sizes to 64 x 64), jpeg (6,000 of 256 x 256 made of the same, to 64 x 64), dicom (pydicom's CT slice 6,000
times, in series of 30).
"""

import argparse
import gzip
import json
import os
import pathlib
import shutil
import subprocess
import sys
import time

import numpy as np
from PIL import Image

FASHION_MNIST = "/usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz"
CLIPART = "/usr/share/openclipart/png"


def make_png28(folder):
    with gzip.open(FASHION_MNIST) as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 28, 28)
    for i, image in enumerate(images):
        Image.fromarray(image).save(folder / f"{i:05}.png")
    return [], []


def make_clipart(folder):
    shutil.rmtree(folder)
    folder.symlink_to(CLIPART)
    return (
        ["--set", "read.color=RGB", "--set", "geometry.height=64", "--set", "geometry.width=64", "--set", "geometry.fit=CROP"],
        ["--rgb", "--size", "64"],
    )


def make_jpeg(folder):
    paths = sorted(pathlib.Path(CLIPART).rglob("*.png"))
    made = 0
    for path in paths:
        try:
            image = Image.open(path).convert("RGB").resize((256, 256), Image.Resampling.LANCZOS)
        except Exception:
            continue
        image.save(folder / f"{made:05}.jpg", quality=90)
        made += 1
        if made == 6000:
            break
    return (
        ["--set", "geometry.height=64", "--set", "geometry.width=64", "--set", "geometry.fit=CROP"],
        ["--rgb", "--size", "64"],
    )


def make_dicom(folder):
    import pydicom
    import pydicom.data

    slice_of_ct = pydicom.dcmread(pydicom.data.get_testdata_file("CT_small.dcm"))
    for i in range(6000):
        slice_of_ct.SeriesInstanceUID = f"1.2.826.0.1.{i // 30 + 1}"
        slice_of_ct.SOPInstanceUID = slice_of_ct.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.0.2.{i + 1}"
        slice_of_ct.ImagePositionPatient = [-158.1, -179.0, -75.7 + 5.0 * (i % 30)]
        slice_of_ct.save_as(folder / f"{i:05}.dcm")
    return [], []


SETS = {"png28": make_png28, "clipart": make_clipart, "jpeg": make_jpeg, "dicom": make_dicom}


def run_langevin(program, source, work, options):
    output = work / "langevin_data"
    shutil.rmtree(output, ignore_errors=True)
    begin = time.monotonic()
    process = subprocess.run(
        [program, "prepare", "--input", source, "--output", output, "--workers", "2", *options],
        capture_output=True,
        text=True,
    )
    seconds = time.monotonic() - begin
    if process.returncode != 0:
        sys.exit(f"langevin prepare: {process.stderr}")
    images = sum(int(line.split()[1]) for line in process.stdout.splitlines() if line.split()[0] in ("train", "validation"))
    size = sum(os.path.getsize(os.path.join(folder, name)) for folder, _, names in os.walk(source, followlinks=True) for name in names)
    return {
        "program": "langevin",
        "images": images,
        "seconds": round(seconds, 3),
        "images_per_s": round(images / seconds, 1),
        "mb_per_s": round(size * 1e-6 / seconds, 2),
    }


def run_peer(source, work, options):
    output = work / "peer.h5"
    output.unlink(missing_ok=True)
    begin = time.monotonic()
    process = subprocess.run(
        [sys.executable, pathlib.Path(__file__).with_name("peer_prepare.py"), "--input", f"{source}/", "--output", output, *options],
        capture_output=True,
        text=True,
    )
    if process.returncode != 0:
        sys.exit(f"peer: {process.stderr}")
    seconds = time.monotonic() - begin
    result = json.loads(process.stdout)
    megabytes = result["mb_per_s"] * result["seconds"]
    return {
        "program": result["program"] + (", the same work" if "--quality" in options else ""),
        "images": result["images"],
        "seconds": round(seconds, 3),
        "images_per_s": round(result["images"] / seconds, 1),
        "mb_per_s": round(megabytes / seconds, 2),
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--langevin", required=True)
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--sets", default="png28,clipart,jpeg,dicom")
    options = parser.parse_args()
    # A folder of its own: an earlier run, maybe broken off, is cleared and nothing else of the caller's.
    work = options.work / "compare_prepare"
    shutil.rmtree(work, ignore_errors=True)
    for name in options.sets.split(","):
        source = work / name
        source.mkdir(parents=True)
        ours, theirs = SETS[name](source)
        best = {}
        for _ in range(options.repeat):
            for result in (
                run_langevin(options.langevin, source, work, ours),
                run_peer(source, work, theirs),
                run_peer(source, work, [*theirs, "--quality"]),
            ):
                print(json.dumps({"set": name, **result}), flush=True)
                known = best.get(result["program"])
                if known is None or result["seconds"] < known["seconds"]:
                    best[result["program"]] = result
        mine = best.pop("langevin")
        times = {program: round(mine["images_per_s"] / peer["images_per_s"], 2) for program, peer in best.items()}
        print(json.dumps({"set": name, "langevin": mine, "peers": best, "times": times}), flush=True)


if __name__ == "__main__":
    main()
