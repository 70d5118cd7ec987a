"""Runs of several ranks one of which comes to grief, and how they end."""
import dataclasses
import os
import pathlib
import signal
import subprocess
import threading
import time

from conftest import ENVIRONMENT, LANGEVIN, MPIRUN, kill_group, train_arguments

RANKS = 4
DEADLINE = 4  # distributed.timeout_seconds of these runs.
START_DEADLINE = 6

SETTINGS = ["train.total_images=96", "checkpoint.every_images=32", "checkpoint.keep=9",
            "monitor.log_every_images=16", "monitor.sample_every_images=32",
            f"distributed.timeout_seconds={DEADLINE}"]

# Notes each rank's exit code, where mpirun lets the ranks be and its own code tells nothing.
WRAPPER = 'folder=$1; shift; "$@"; code=$?; echo $code > "$folder/$OMPI_COMM_WORLD_RANK"; exit $code'


@dataclasses.dataclass
class Ended:
    """A run that is over."""
    code: int  # mpirun's.
    stderr: str
    seconds: float  # From the fault to the end; infinite without a fault.
    exit_codes: dict  # By rank, with --enable-recovery.
    left: list  # Processes that are there afterwards.
    output: pathlib.Path

    def lines_with(self, *words):
        return [line for line in self.stderr.splitlines() if all(word in line for word in words)]

    def ranks_that_say(self, text):
        return {rank for rank in range(RANKS) if self.lines_with(f"rank {rank}: ", text)}


def processes_of(output):
    """Those whose command line has the run folder in it; zombies have none."""
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and str(output).encode() in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def rank_process(output, rank):
    """The process of a rank of a run."""
    for pid in processes_of(output):
        try:
            environment = pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
            name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            continue
        if f"OMPI_COMM_WORLD_RANK={rank}".encode() in environment and name == "langevin":
            return pid
    raise AssertionError(f"no rank {rank} of {output}")


class Run:
    """langevin train under mpirun, whose log is read as it comes."""

    def __init__(self, config, dataset, output, fault="", flags=(), settings=()):
        self.output = pathlib.Path(output)
        self.folder = self.output.parent / (self.output.name + "-exit-codes")
        self.folder.mkdir(parents=True, exist_ok=True)
        wrapper = ["bash", "-c", WRAPPER, "wrapper", str(self.folder)] if flags else []
        environment = {**ENVIRONMENT, "LANGEVIN_START_SECONDS": str(START_DEADLINE)}
        if fault:
            environment["LANGEVIN_FAULT"] = fault
        arguments = train_arguments(config, dataset, output)
        for setting in [*SETTINGS, *settings]:
            arguments += ["--set", setting]
        self.struck_at = None
        self.lines = []
        self.process = subprocess.Popen(
            [*MPIRUN, *flags, "-n", str(RANKS), *wrapper, LANGEVIN, *map(str, arguments)],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment,
            start_new_session=True)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            if "LANGEVIN_FAULT: " in line and self.struck_at is None:
                self.struck_at = time.monotonic()
            self.lines.append(line)

    def wait(self, timeout=90):
        """Waits for the end; after `timeout` seconds kills what is left, which code -1 tells."""
        try:
            code = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            code = -1
        ended = time.monotonic()
        # mpirun's daemon part may still be at it when its main part has ended.
        while processes_of(self.output) and time.monotonic() < ended + 5:
            time.sleep(0.05)
        left = processes_of(self.output)
        for pid in left:
            os.kill(pid, signal.SIGKILL)
        kill_group(self.process)
        self.reader.join()
        codes = {int(path.name): int(path.read_text() or -1) for path in self.folder.iterdir()}
        return Ended(code, "".join(self.lines), ended - self.struck_at if self.struck_at else float("inf"),
                     codes, left, self.output)
