"""Two ranks of Langevin against two ranks of DDP, one thread a rank, side by side in one run.

    .deps/venv/bin/python tests/bench/compare_ddp.py [--unet tests/bench/unet_small.json] [--rounds 5]

Each round runs, one after the other:

    ddp                  torchrun --nproc-per-node 2 peer_train.py (Gloo)
    ddp alone            two independent processes of peer_train.py at the same time
    ordered, fast        mpirun -n 2 langevin bench step
    langevin alone       two independent processes of langevin bench step at the same time

in an order that turns from round to round. Exposed communication is the step with two ranks minus the
step of the two independent processes of the same program in the same round; the figures are medians
over the rounds. Prints a table on stderr and one JSON line on stdout.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent

parser = argparse.ArgumentParser()
parser.add_argument("--unet", default=str(HERE / "unet_small.json"))
parser.add_argument("--batch", type=int, default=8, help="images per rank and step")
parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
parser.add_argument("--steps", type=int, default=10)
parser.add_argument("--warmup", type=int, default=3)
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--langevin", default=os.environ.get("LANGEVIN", str(REPOSITORY / "build/langevin")))
parser.add_argument("--mpirun", default="mpirun --bind-to none", help="command and its flags, without -n")
parser.add_argument("--set", action="append", default=[], help="for langevin, as in distributed.zero_stage=1")
args = parser.parse_args()

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
               "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}


def peer_arguments():
    return [str(HERE / "peer_train.py"), "--unet", args.unet, "--batch", str(args.batch), "--dtype",
            args.precision, "--steps", str(args.steps), "--warmup", str(args.warmup), "--threads", "1"]


def langevin_arguments(work, reduction="ordered"):
    overrides = [word for value in args.set for word in ("--set", value)]
    return [args.langevin, "bench", "step", "--unet", args.unet, "--batch", str(args.batch),
            "--precision", args.precision, "--steps", str(args.steps), "--warmup", str(args.warmup),
            "--threads", "1", "--reduction", reduction, "--work", str(work), *overrides]


def run_together(commands):
    """Runs the commands at the same time and returns the JSON line of each."""
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                  env=ENVIRONMENT) for command in commands]
    lines = []
    for command, process in zip(commands, processes):
        output, errors = process.communicate()
        if process.returncode != 0:
            sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{errors}")
        lines.append(json.loads(output.strip().splitlines()[-1]))
    return lines


def two_ranks(mode, work):
    if mode == "ddp":
        launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
        command = launcher + peer_arguments()
    else:
        command = args.mpirun.split() + ["-n", "2"] + langevin_arguments(work / mode, mode)
    return run_together([command])[0]


def two_alone(program, work):
    if program == "ddp":
        return run_together([[sys.executable, *peer_arguments()]] * 2)
    return run_together([langevin_arguments(work / f"alone{i}") for i in range(2)])


def one_round(number, work):
    """Figures by mode: the step and images per second with two ranks, and of two independent ones."""
    runs = {"ddp": lambda: two_ranks("ddp", work), "ddp alone": lambda: two_alone("ddp", work),
            "ordered": lambda: two_ranks("ordered", work), "fast": lambda: two_ranks("fast", work),
            "langevin alone": lambda: two_alone("langevin", work)}
    names = list(runs)
    names = names[number % len(names):] + names[:number % len(names)]
    results = {name: runs[name]() for name in names}
    figures = {}
    for mode, alone in (("ddp", "ddp alone"), ("ordered", "langevin alone"), ("fast", "langevin alone")):
        alone_ms = statistics.mean(line["step_ms"] for line in results[alone])
        alone_rate = sum(line["images_per_s"] for line in results[alone])
        figures[mode] = {"step_ms": results[mode]["step_ms"], "alone_ms": alone_ms,
                         "exposed_ms": results[mode]["step_ms"] - alone_ms,
                         "throughput": results[mode]["images_per_s"] / alone_rate}
    return figures


def main():
    rounds = []
    with tempfile.TemporaryDirectory() as work:
        for number in range(args.rounds):
            rounds.append(one_round(number, pathlib.Path(work)))
            print(f"round {number + 1} of {args.rounds}: exposed ms " + ", ".join(
                f"{mode} {figures['exposed_ms']:.2f}" for mode, figures in rounds[-1].items()),
                file=sys.stderr, flush=True)

    summary = {"bench": "compare_ddp", "unet": os.path.basename(args.unet), "dtype": args.precision,
               "batch_per_rank": args.batch, "ranks": 2, "threads": 1, "rounds": args.rounds,
               "set": args.set}
    print(f"{'':10}{'2 ranks':>12}{'alone':>12}{'exposed':>12}{'spread':>16}{'of DDP':>9}{'rate':>8}",
          file=sys.stderr)
    ddp_exposed = statistics.median(figures["ddp"]["exposed_ms"] for figures in rounds)
    for mode in ("ddp", "ordered", "fast"):
        values = {key: [figures[mode][key] for figures in rounds] for key in rounds[0][mode]}
        median = {key: statistics.median(column) for key, column in values.items()}
        ratio = median["exposed_ms"] / ddp_exposed if ddp_exposed > 0 else None
        low, high = min(values["exposed_ms"]), max(values["exposed_ms"])
        summary[mode] = {**{key: round(value, 3) for key, value in median.items()},
                         "exposed_ms_range": [round(low, 2), round(high, 2)],
                         "exposed_of_ddp": None if ratio is None else round(ratio, 3)}
        print(f"{mode:10}{median['step_ms']:9.2f} ms{median['alone_ms']:9.2f} ms{median['exposed_ms']:9.2f} ms"
              f"{f'{low:.1f} to {high:.1f}':>16}{'-' if ratio is None else f'{ratio:.2f}':>9}"
              f"{median['throughput']:8.3f}", file=sys.stderr)
    print(json.dumps(summary), flush=True)


if __name__ == "__main__":
    main()
