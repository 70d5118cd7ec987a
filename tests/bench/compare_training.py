"""Langevin against a diffusers training script on Fashion-MNIST: time, FID and bits per value.

    .deps/venv/bin/python tests/bench/compare_training.py --work FOLDER [--images 60000] [--seeds 0,1]

Trains two at the same time, one thread each: the peer (peer_fashion_mnist.py) and runs of Langevin of the
same UNet, images, number of images and seeds:

    ddpm   preset fashion_mnist_quickstart: what the peer does
    edm    preset fashion_mnist_edm: the best configuration found

Each is judged by `langevin evaluate`: features of a small classifier (feature_net.py), the same noise and
held-out images, DDIM with 50 steps for DDPM and Heun with 18 (35 evaluations) for EDM. Bits per value are
the probability flow's for all and, for DDPM, the variational bound's. What is in FOLDER already is not done
again. Prints a table, and the mean over seeds of what Langevin's runs have more than the peer's with its
95 % interval (Welch's, of the runs' spread), and writes FOLDER/comparison.json and FOLDER/comparison.png.
Seconds are of the processor, user and system: others on the machine do not count.
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
from scipy import stats

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
SOURCE = "/usr/share/datasets/fashion-mnist"

parser = argparse.ArgumentParser()
parser.add_argument("--work", required=True, type=pathlib.Path)
parser.add_argument("--images", type=int, default=60000)
parser.add_argument("--seeds", default="0,1")
parser.add_argument("--kinds", default="ddpm,edm", help="of Langevin's runs")
parser.add_argument("--count", type=int, default=1000, help="samples of each model")
parser.add_argument("--likelihood_images", type=int, default=24, help="by flow; twice as many by bound; 0: none")
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
    """Runs {name: command} at the same time; the processor's seconds that each took."""
    processes = {name: subprocess.Popen([str(word) for word in command], env=ENVIRONMENT,
                                        stdout=open(args.work / f"{name}.log", "w"), stderr=subprocess.STDOUT)
                 for name, command in commands.items()}
    seconds = {}
    for name, process in processes.items():
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if status != 0:
            sys.exit(f"{name} failed: see {args.work / name}.log")
        seconds[name] = round(usage.ru_utime + usage.ru_stime, 1)
    return seconds


def train(names):
    """Runs at the same time, and exports of Langevin's; the processor's seconds that each took."""
    records = {name: args.work / f"{name}.json" for name in names}
    commands = {}
    for name in names:
        kind, seed = name.split("-")
        if records[name].exists():
            continue
        if kind == "peer":
            commands[name] = [sys.executable, HERE / "peer_fashion_mnist.py", "--output", args.work / name,
                              "--images", args.images, "--seed", seed, "--threads", 1]
        else:
            commands[name] = [args.langevin, "train", "--config", PRESETS[kind], "--data", args.work / "data",
                              "--output", args.work / f"{name}-run", "--set",
                              f"train.total_images={args.images}", "--set", f"seed={seed}"]
    if commands:
        say("training: " + ", ".join(commands))
    for name, seconds in together(commands).items():
        if not name.startswith("peer"):
            subprocess.run([args.langevin, "export", "--run", args.work / f"{name}-run", "--output",
                            args.work / name], check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
        records[name].write_text(json.dumps({"processor_s": seconds}))
    return {name: json.loads(record.read_text())["processor_s"] for name, record in records.items()}


def evaluate(names):
    """Judges models, two at a time: FID, and bits by each method that fits."""
    wanted = []
    for name in names:
        kind = name.split("-")[0]
        model = ["evaluate", "--model", args.work / name, "--data", args.work / "data", "--features",
                 args.work / "features.pt"]
        wanted.append((f"{name}-fid", [*model, "--metrics", "fid,kid,precision_recall", "--count", args.count,
                                       *SAMPLERS[kind]]))
        for method in ("flow", "bound"):
            if args.likelihood_images > 0 and (method == "flow" or kind != "edm"):
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


def measured(name, what):
    """What evaluate found, or None where it was not asked to."""
    path = args.work / f"{name}-{what}" / "metrics.json"
    return json.loads(path.read_text()) if path.exists() else None


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


def excess(ours, peer):
    """The mean of one group of runs less that of the other, and its 95 % interval where both have two."""
    difference = statistics.mean(ours) - statistics.mean(peer)
    if min(len(ours), len(peer)) < 2:
        return {"value": difference}
    interval = stats.ttest_ind(ours, peer, equal_var=False).confidence_interval(0.95)
    return {"value": difference, "low": interval.low, "high": interval.high}


def show(metric):
    text = f"{metric['value']:.3f}"
    if "low" in metric:
        text += f" ({metric['low']:.3f} to {metric['high']:.3f})"
    return text


if not (args.work / "features.pt").exists():
    say("training the classifier")
    subprocess.run([sys.executable, REPOSITORY / "tests/python/feature_net.py", "--output",
                    args.work / "features.pt"], check=True, stdout=sys.stderr)
if not (args.work / "data/manifest.textproto").exists():
    subprocess.run([args.langevin, "prepare", "--input", SOURCE, "--output", args.work / "data"], check=True,
                   stdout=subprocess.DEVNULL, env=ENVIRONMENT)
# Each run of Langevin beside one of the peer, so far as there are some.
names = [f"{kind}-{seed}" for seed in seeds for kind in ("peer", *kinds)]
peers = [name for name in names if name.startswith("peer")]
ours = [name for name in names if not name.startswith("peer")]
queue = [name for pair in zip(peers, ours) for name in pair] + ours[len(peers):] + peers[len(ours):]
seconds = {}
for i in range(0, len(queue), 2):
    seconds.update(train(queue[i:i + 2]))
    evaluate(queue[i:i + 2])
picture([f"{kind}-{seeds[0]}" for kind in ("peer", *kinds)])

result = {"images": args.images, "samples": args.count, "likelihood_images": args.likelihood_images,
          "runs": [], "less_peer": {}}
of_kind = {kind: {} for kind in ("peer", *kinds)}  # Of each kind and metric, the values of the seeds.
print(f"{'run':8} {'training':>9}  {'FID':24} {'KID x 1000':24} {'bits, flow':22} bits, bound")
for name in names:
    kind, seed = name.split("-")
    row = {metric: measured(name, "fid")["metrics"][metric] for metric in ("fid", "kid", "precision", "recall")}
    for method in ("flow", "bound"):
        found = measured(name, method)
        if found is not None:
            row[method] = found["metrics"]["bits_per_dim"]
    for metric, values in row.items():
        of_kind[kind].setdefault(metric, []).append(values["value"])
    result["runs"].append({"run": name, "train_s": seconds[name], **row})
    print(f"{name:8} {seconds[name]:7.0f} s  {show(row['fid']):24} {show(row['kid']):24} "
          f"{show(row['flow']) if 'flow' in row else '-':22} {show(row['bound']) if 'bound' in row else '-'}")
for kind in kinds:
    less = {metric: excess(values, of_kind["peer"][metric]) for metric, values in of_kind[kind].items()}
    result["less_peer"][kind] = less
    print(f"{kind} less the peer, mean of {len(seeds)} seeds: " +
          ", ".join(f"{metric} {show(value)}" for metric, value in less.items()))
floor = measured(names[0], "fid")["metrics"]["fid"]["floor"]
print(f"real images: FID {floor:.3f}")
(args.work / "comparison.json").write_text(json.dumps(result, indent=1))
