"""Langevin's loader against PyTorch's DataLoader over h5py and MosaicML Streaming, in one run.

    .deps/venv/bin/python tests/bench/compare_loader.py [--sides 32:50000,256:3000] [--rounds 3] [--work DIR]

The same random images and the same work for all (see peer_loader.py): random order, random flip, bytes to
float32 in [-1, 1], channels first, batches of 64, files in the page cache. Langevin compares every image's
checksum on top. In each round the peers and langevin with one and two threads run one after the other;
figures are medians over the rounds. MosaicML Streaming takes part where it is installed
(pip install mosaicml-streaming). Prints a table on stderr and one JSON line for each side on stdout.
"""
import argparse
import collections
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import h5py

HERE = pathlib.Path(__file__).resolve().parent

parser = argparse.ArgumentParser()
parser.add_argument("--sides", default="32:50000,256:3000", help="side:count, ...")
parser.add_argument("--rounds", type=int, default=3)
parser.add_argument("--batch", type=int, default=64)
parser.add_argument("--work", help="folder for the files, which stay; default: a temporary one")
parser.add_argument("--python", default=sys.executable, help="runs peer_loader.py")
parser.add_argument("--langevin", default=os.environ.get("LANGEVIN", str(HERE.parent.parent / "build/langevin")))
args = parser.parse_args()

ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def json_lines(command):
    process = subprocess.run(command, capture_output=True, text=True, env=ENVIRONMENT)
    if process.returncode != 0:
        sys.exit(f"{command} gave {process.returncode}:\n{process.stderr}")
    return [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]


def raw_images(work, side, count):
    """The peer's images as one file of bytes, for langevin."""
    raw = work / f"images_{side}_{count}.raw"
    if not raw.exists():
        with h5py.File(work / f"images_{side}_{count}.h5") as file, open(raw, "wb") as out:
            for begin in range(0, count, 1000):
                out.write(file["images"][begin:begin + 1000].tobytes())
    return raw


def compare(work, side, count):
    size = ["--side", str(side), "--count", str(count), "--batch", str(args.batch), "--work", str(work)]
    rates, shares = collections.defaultdict(list), collections.defaultdict(list)
    for _ in range(args.rounds):
        for line in json_lines([args.python, str(HERE / "peer_loader.py"), *size]):
            rates[line["peer"]].append(line["images_per_s"])
        for threads in (1, 2):
            line, = json_lines([args.langevin, "bench", "loader", *size, "--threads", str(threads),
                                "--images", str(raw_images(work, side, count))])
            name = f"langevin, {threads} thread{'s' if threads > 1 else ''}"
            rates[name].append(line["images_per_s"])
            shares[name].append((line["bytes_per_s"], line["copy_bytes_per_s"]))
    medians = {name: statistics.median(values) for name, values in rates.items()}
    best = max(value for name, value in medians.items() if not name.startswith("langevin"))
    print(f"\n{side} x {side} x 3, {count} images, medians of {args.rounds}", file=sys.stderr)
    result = {"side": side, "count": count, "rounds": args.rounds, "best_peer_images_per_s": best}
    for name, rate in medians.items():
        note = ""
        if name in shares:
            bytes_per_s, copy = (statistics.median(values) for values in zip(*shares[name]))
            note = f"  {bytes_per_s / 1e9:5.1f} GB/s; copying memory: {copy / 1e9:.1f} GB/s"
            result[name] = {"images_per_s": rate, "times_best_peer": round(rate / best, 1),
                            "bytes_per_s": bytes_per_s, "copy_bytes_per_s": copy}
        else:
            result[name] = {"images_per_s": rate}
        print(f"  {name:<32} {rate:>10,.0f} images/s  {rate / best:6.1f} x{note}", file=sys.stderr)
    print(json.dumps(result), flush=True)


with tempfile.TemporaryDirectory() as temporary:
    folder = pathlib.Path(args.work or temporary)
    folder.mkdir(parents=True, exist_ok=True)
    for pair in args.sides.split(","):
        compare(folder, *map(int, pair.split(":")))
