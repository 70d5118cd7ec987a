"""Langevin against a diffusers training script on Fashion-MNIST: time, FID and bits per value.

    .deps/venv/bin/python tests/bench/compare_training.py --work FOLDER [--images 60000] [--seeds 0,1]

Trains two at the same time, one thread each: the peer (peer_fashion_mnist.py) and runs of Langevin of the
same UNet, images, number of images and seeds:

    ddpm   preset fashion_mnist_quickstart: what the peer does
    edm    preset fashion_mnist_edm: the best configuration found

All models are then judged by `langevin evaluate`: features of a small classifier (feature_net.py), the
same noise and held-out images, DDIM with 50 steps for DDPM and Heun with 18 (35 evaluations) for EDM.
Bits per value are the probability flow's for all and, for DDPM, the variational bound's. What is in FOLDER
already is not done again. Prints a table and writes FOLDER/comparison.json and FOLDER/comparison.png.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

import numpy as np
from PIL import Image

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
SOURCE = "/usr/share/datasets/fashion-mnist"

parser = argparse.ArgumentParser()
parser.add_argument("--work", required=True, type=pathlib.Path)
parser.add_argument("--images", type=int, default=60000)
parser.add_argument("--seeds", default="0,1")
parser.add_argument("--kinds", default="ddpm,edm", help="of Langevin's runs")
parser.add_argument("--count", type=int, default=1000, help="samples of each model")
parser.add_argument("--likelihood_images", type=int, default=24, help="by flow; twice as many by bound")
parser.add_argument("--langevin", default=os.environ.get("LANGEVIN", str(REPOSITORY / "build/langevin")))
args = parser.parse_args()
args.work.mkdir(parents=True, exist_ok=True)
seeds = [int(seed) for seed in args.seeds.split(",")]
kinds = args.kinds.split(",")

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
               "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
PRESETS = {"ddpm": "fashion_mnist_quickstart", "edm": "fashion_mnist_edm"}
SAMPLERS = {"ddpm": ["--sampler", "ddim", "--steps", "50"], "edm": ["--sampler", "heun", "--steps", "18"],
            "peer": ["--sampler", "ddim", "--steps", "50"]}


def say(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def together(commands):
    """Runs {name: command} at the same time; the seconds that each took, and its stdout."""
    began = time.perf_counter()
    processes = {name: subprocess.Popen([str(word) for word in command], stdout=subprocess.PIPE, text=True,
                                        env=ENVIRONMENT, stderr=open(args.work / f"{name}.log", "w"))
                 for name, command in commands.items()}
    ended = {}
    while len(ended) < len(processes):
        for name, process in processes.items():
            if name not in ended and process.poll() is not None:
                ended[name] = (round(time.perf_counter() - began, 1), process.stdout.read())
                if process.returncode != 0:
                    sys.exit(f"{name} failed: see {args.work / name}.log")
        time.sleep(0.2)
    return ended


def train(pair):
    """Two runs at the same time, and the exports of Langevin's; the seconds that each took."""
    record = args.work / f"{'-'.join(pair)}.json"
    if record.exists():
        return json.loads(record.read_text())
    say("training: " + ", ".join(pair))
    commands = {}
    for name in pair:
        kind, seed = name.split("-")
        if kind == "peer":
            commands[name] = [sys.executable, HERE / "peer_fashion_mnist.py", "--output", args.work / name,
                              "--images", args.images, "--seed", seed, "--threads", 1]
        else:
            commands[name] = [args.langevin, "train", "--config", PRESETS[kind], "--data", args.work / "data",
                              "--output", args.work / f"{name}-run", "--set",
                              f"train.total_images={args.images}", "--set", f"seed={seed}"]
    seconds = {name: ended for name, (ended, _) in together(commands).items()}
    for name in pair:
        if not name.startswith("peer"):
            subprocess.run([args.langevin, "export", "--run", args.work / f"{name}-run", "--output",
                            args.work / name], check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    record.write_text(json.dumps(seconds))
    return seconds


def evaluate(names):
    """metrics.json of the models, two at a time: FID, and bits by each method that fits."""
    wanted = []
    for name in names:
        kind = name.split("-")[0]
        model = ["evaluate", "--model", args.work / name, "--data", args.work / "data", "--features",
                 args.work / "features.pt"]
        wanted.append((f"{name}-fid", [*model, "--metrics", "fid,kid,precision_recall", "--count", args.count,
                                       *SAMPLERS[kind]]))
        for method in ("flow", "bound"):
            if method == "flow" or kind != "edm":
                wanted.append((f"{name}-{method}", [
                    *model, "--metrics", "bits_per_dim", "--likelihood", method, "--likelihood_images",
                    args.likelihood_images * (2 if method == "bound" else 1), "--likelihood_terms", 100, "--count", 4, "--steps", 1]))
    # Quick ones first.
    wanted.sort(key=lambda item: ("bound", "fid", "flow").index(item[0].rsplit("-", 1)[1]))
    wanted = [(name, command) for name, command in wanted if not (args.work / name / "metrics.json").exists()]
    for pair in zip(wanted[::2], wanted[1::2] + [None] * (len(wanted) % 2)):
        pair = [part for part in pair if part]
        say("evaluating: " + ", ".join(name for name, _ in pair))
        together({name: [args.langevin, *command, "--output", args.work / name] for name, command in pair})
    return {name: json.loads((args.work / name / "metrics.json").read_text())
            for name in (f"{n}-{m}" for n in names for m in ("fid", "flow", "bound"))
            if (args.work / name / "metrics.json").exists()}


def picture(names):
    """comparison.png: a row of samples of each model, from the same noise."""
    rows = []
    for name in names:
        folder = args.work / f"{name}-samples"
        subprocess.run([args.langevin, "sample", "--model", args.work / name, "--output", folder, "--count", "20",
                        *SAMPLERS[name.split("-")[0]]], check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
        tiles = [np.pad(np.asarray(Image.open(path)), 1) for path in sorted(folder.glob("0*.png"))]
        rows += [np.concatenate(tiles[:10], 1), np.concatenate(tiles[10:], 1), np.zeros((4, 300), np.uint8)]
    Image.fromarray(np.concatenate(rows[:-1])).resize((600, 376), Image.NEAREST).save(args.work / "comparison.png")


def paired(ours, peer):
    """The mean of ours - peer over the same images, and its 95 % interval."""
    differences = [a - b for a, b in zip(ours["likelihood"]["by_image"], peer["likelihood"]["by_image"])]
    mean = statistics.mean(differences)
    error = 1.96 * statistics.stdev(differences) / len(differences) ** 0.5
    return [round(value, 4) for value in (mean, mean - error, mean + error)]


def show(metric):
    return f"{metric['value']:.3f} ({metric['low']:.3f} to {metric['high']:.3f})"


if not (args.work / "features.pt").exists():
    say("training the classifier")
    subprocess.run([sys.executable, REPOSITORY / "tests/python/feature_net.py", "--output",
                    args.work / "features.pt"], check=True, stdout=sys.stderr)
if not (args.work / "data/manifest.json").exists():
    subprocess.run([args.langevin, "prepare", "--input", SOURCE, "--output", args.work / "data"], check=True,
                   stdout=subprocess.DEVNULL, env=ENVIRONMENT)
# Each run of Langevin beside one of the peer, so far as there are some.
names = [f"{kind}-{seed}" for seed in seeds for kind in ("peer", *kinds)]
peers = [name for name in names if name.startswith("peer")]
ours = [name for name in names if not name.startswith("peer")]
queue = [name for pair in zip(peers, ours) for name in pair] + ours[len(peers):] + peers[len(ours):]
pairs = [train(queue[i:i + 2]) for i in range(0, len(queue), 2)]
times = {name: seconds for pair in pairs for name, seconds in pair.items()}
# Against the peer that ran at the same time.
ratios = {name: seconds / pair[peer] for pair in pairs for name, seconds in pair.items() for peer in pair
          if peer.startswith("peer") and peer != name}
metrics = evaluate(names)
picture([f"{kind}-{seeds[0]}" for kind in ("peer", *kinds)])

result = {"images": args.images, "samples": args.count, "likelihood_images": args.likelihood_images,
          "runs": []}
print(f"{'run':8} {'training':>9} {'of peer':>8}  {'FID':24} {'KID x 1000':24} {'bits, flow':24} bits, bound")
for name in names:
    kind, seed = name.split("-")
    fid = metrics[f"{name}-fid"]["metrics"]
    row = {"run": name, "fid": fid["fid"], "kid": fid["kid"], "precision": fid["precision"],
           "recall": fid["recall"]}
    for method in ("flow", "bound"):
        if f"{name}-{method}" in metrics:
            row[method] = metrics[f"{name}-{method}"]["metrics"]["bits_per_dim"]
            if kind != "peer":
                row[f"{method}_less_peer"] = paired(metrics[f"{name}-{method}"], metrics[f"peer-{seed}-{method}"])
    row["train_s"] = times[name]
    row["of_peer_beside_it"] = round(ratios[name], 3) if name in ratios else None
    ratio = f"{ratios[name]:.2f}" if name in ratios and kind != "peer" else "-"
    result["runs"].append(row)
    kid = {key: 1000 * value for key, value in row["kid"].items() if key in ("value", "low", "high")}
    print(f"{name:8} {row['train_s']:7.0f} s {ratio:>8}  {show(row['fid']):24} {show(kid):24} "
          f"{show(row['flow']):24} {show(row['bound']) if 'bound' in row else '-'}")
    for method in ("flow", "bound"):
        if f"{method}_less_peer" in row:
            print(f"{'':8} bits less the peer's on the same images, {method}: "
                  "{} ({} to {})".format(*row[f"{method}_less_peer"]))
print(f"real images: FID {metrics[names[0] + '-fid']['metrics']['fid']['floor']:.3f}")
(args.work / "comparison.json").write_text(json.dumps(result, indent=1))
