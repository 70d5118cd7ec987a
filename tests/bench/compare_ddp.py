"""Two ranks of Langevin against two ranks of DDP, one thread a rank, in turns of seconds.

    .deps/venv/bin/python tests/bench/compare_ddp.py [--unet tests/bench/unet_small.json] [--steps 60]

Five groups of two processes are started:

    ddp                  torchrun --nproc-per-node 2 peer_train.py (Gloo)
    ddp alone            two independent processes of peer_train.py
    ordered, fast        mpirun -n 2 langevin bench step
    langevin alone       two independent processes of langevin bench step

and take turns: all but one are stopped (SIGSTOP) at any time, for --turn_s seconds each, in an order that
turns from cycle to cycle, until one has done its steps. So a machine that is now slower and now faster is so
for all of them. What counts are steps that lie within a turn whole, of each turn the median.

Exposed communication is the step of two ranks minus that of the two independent processes of the same program:
minus their mean, and minus the slower of the two, since cores are rarely equally fast and ranks wait for each
other whatever they exchange. The 95 % intervals are by bootstrap over cycles. Prints a table on stderr and one
JSON line on stdout; --raw keeps the times of all steps.
"""
import argparse
import json
import os
import pathlib
import signal
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent

parser = argparse.ArgumentParser()
parser.add_argument("--unet", default=str(HERE / "unet_small.json"))
parser.add_argument("--batch", type=int, default=8, help="images per rank and step")
parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
parser.add_argument("--steps", type=int, default=60)
parser.add_argument("--warmup", type=int, default=3)
parser.add_argument("--turn_s", type=float, default=6, help="some steps long")
parser.add_argument("--raw", help="JSON file of the steps that count: group, process, cycle, seconds")
parser.add_argument("--langevin", default=os.environ.get("LANGEVIN", str(REPOSITORY / "build/langevin")))
parser.add_argument("--mpirun", default="mpirun --bind-to none", help="command and its flags, without -n")
parser.add_argument("--modes", nargs="+", default=["ordered", "fast"],
                    help="of two ranks: reduction, and fields to set, as in 'fast distributed.zero_stage=0'")
args = parser.parse_args()

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1",
               "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
# Each group of two ranks, and what it is compared with.
ALONE = {"ddp": "ddp alone", **{mode: "langevin alone" for mode in args.modes}}


def peer_command():
    return [str(HERE / "peer_train.py"), "--unet", args.unet, "--batch", str(args.batch), "--dtype",
            args.precision, "--steps", str(args.steps), "--warmup", str(args.warmup), "--threads", "1",
            "--step-ends"]


def langevin_command(work, *more):
    # Whoever waits for its turn is silent for as long as the others take.
    return [args.langevin, "bench", "step", "--unet", args.unet, "--batch", str(args.batch),
            "--precision", args.precision, "--steps", str(args.steps), "--warmup", str(args.warmup),
            "--threads", "1", "--work", str(work), "--step_ends", "--set", "distributed.timeout_seconds=3600",
            *more]


def commands_of(group, work):
    if group == "ddp":
        return [[sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
                 *peer_command()]]
    if group == "ddp alone":
        return [[sys.executable, *peer_command()]] * 2
    if group == "langevin alone":
        return [langevin_command(work / f"alone{i}") for i in range(2)]
    reduction, *fields = group.split()
    overrides = [word for field in fields for word in ("--set", field)]
    return [[*args.mpirun.split(), "-n", "2",
             *langevin_command(work / group, "--reduction", reduction, *overrides)]]


def descendants(roots):
    """The processes `roots` and all that they started."""
    children = {}
    for status in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(status.read_text().rsplit(")", 1)[1].split()[1])
        except OSError:  # It has ended.
            continue
        children.setdefault(parent, []).append(int(status.parent.name))
    found = list(roots)
    for process in found:
        found += children.get(process, [])
    return found


class Group:
    """Processes that have their turns together."""

    def __init__(self, name, work):
        self.turns = []  # (cycle or None, begin, end), by CLOCK_MONOTONIC.
        self.processes = []
        for i, command in enumerate(commands_of(name, work)):
            # In a session of its own, whose processes none but this script signals.
            self.processes.append(subprocess.Popen(command, env=ENVIRONMENT, text=True, start_new_session=True,
                                                   stdout=open(work / f"{name}.{i}.out", "w+"),
                                                   stderr=open(work / f"{name}.{i}.err", "w+")))
        self.outputs = [work / f"{name}.{i}.out" for i in range(len(self.processes))]

    def signal(self, what):
        for process in descendants([p.pid for p in self.processes if p.poll() is None]):
            try:
                os.kill(process, what)
            except ProcessLookupError:
                pass

    def ended(self):
        for process, output in zip(self.processes, self.outputs):
            if process.poll():
                sys.exit(f"{' '.join(process.args)} ended with {process.returncode}:\n"
                         f"{output.with_suffix('.err').read_text()}")
        return all(process.poll() is not None for process in self.processes)

    def turn(self, cycle, seconds):
        begin = time.monotonic()
        self.signal(signal.SIGCONT)
        while time.monotonic() < begin + seconds and not self.ended():
            time.sleep(0.05)
        self.turns.append((cycle, begin, time.monotonic()))
        self.signal(signal.SIGSTOP)

    def whole_steps(self):
        """By process: {cycle: seconds of the steps within its turn}."""
        by_process = []
        for output in self.outputs:
            ends = json.loads(output.read_text().strip().splitlines()[-1])["step_ends_s"]
            by_process.append({cycle: np.diff([moment for moment in ends if begin < moment < end]).tolist()
                               for cycle, begin, end in self.turns if cycle is not None})
        return by_process


def take_turns(groups):
    names, cycle = list(groups), 0
    while not any(group.ended() for group in groups.values()):
        for i in range(len(names)):
            groups[names[(i + cycle) % len(names)]].turn(cycle, args.turn_s)
        cycle += 1
        print(f"\rcycle {cycle}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    # The others print their figures at their end.
    for group in groups.values():
        while not group.ended():
            group.turn(None, args.turn_s)


def mean_of_turns(by_process, cycles, of_two):
    """Milliseconds of a step: `of_two` the processes' medians in a cycle, the mean over these cycles."""
    return 1e3 * statistics.mean(of_two([statistics.median(process[cycle]) for process in by_process])
                                 for cycle in cycles)


def compare(two, alone, cycles, of_two):
    """Steps of both, and what they differ by, with intervals."""
    def figures(cycles):
        step, single = mean_of_turns(two, cycles, of_two), mean_of_turns(alone, cycles, of_two)
        return step, single, step - single, single / step
    random = np.random.default_rng(0)
    replicates = [figures(random.choice(cycles, len(cycles)).tolist()) for _ in range(1000)]
    low, high = np.percentile(replicates, [2.5, 97.5], axis=0)
    step, single, exposed, rate = figures(cycles)
    return {"step_ms": step, "alone_ms": single, "exposed_ms": [exposed, low[2], high[2]],
            "throughput": [rate, low[3], high[3]]}


def main():
    # Whatever ends this must end those that are stopped.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by a signal"))
    with tempfile.TemporaryDirectory() as work:
        groups = {}
        try:
            for name in (*ALONE, "ddp alone", "langevin alone"):
                groups[name] = Group(name, pathlib.Path(work))
                groups[name].signal(signal.SIGSTOP)
            take_turns(groups)
        finally:
            for group in groups.values():
                group.signal(signal.SIGKILL)
        steps = {name: group.whole_steps() for name, group in groups.items()}
    if args.raw:
        pathlib.Path(args.raw).write_text(json.dumps(steps))
    processes = [process for by_process in steps.values() for process in by_process]
    cycles = [cycle for cycle in sorted(processes[0]) if all(process.get(cycle) for process in processes)]
    if len(cycles) < 2:
        sys.exit("fewer than two cycles in which all did a whole step: raise --steps or --turn_s")

    summary = {"bench": "compare_ddp", "unet": os.path.basename(args.unet), "dtype": args.precision,
               "batch_per_rank": args.batch, "ranks": 2, "threads": 1, "cycles": len(cycles)}
    for what, of_two in (("mean of two alone", statistics.mean), ("slower of two alone", max)):
        print(f"{'against the ' + what:36}{'2 ranks':>12}{'alone':>12}   {'exposed (95 %)':30}{'of DDP':>8}   rate",
              file=sys.stderr)
        of_mode = {mode: compare(steps[mode], steps[alone], cycles, of_two) for mode, alone in ALONE.items()}
        for mode, found in of_mode.items():
            found["exposed_of_ddp"] = found["exposed_ms"][0] / of_mode["ddp"]["exposed_ms"][0]
            print("{:36}{:9.1f} ms{:9.1f} ms   {:30}{:8.2f}   {:.3f} ({:.3f} to {:.3f})".format(
                mode, found["step_ms"], found["alone_ms"],
                "{:.1f} ms ({:.1f} to {:.1f})".format(*found["exposed_ms"]), found["exposed_of_ddp"],
                *found["throughput"]), file=sys.stderr)
        summary[what] = {mode: {key: np.round(value, 3).tolist() for key, value in found.items()}
                         for mode, found in of_mode.items()}
    print(json.dumps(summary), flush=True)


if __name__ == "__main__":
    main()
