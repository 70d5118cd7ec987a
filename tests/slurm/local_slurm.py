"""A Slurm of two nodes on this host, for tests: start it, submit to it, take its nodes away."""
import os
import pathlib
import re
import shutil
import signal
import subprocess

from conftest import ENVIRONMENT, LANGEVIN, wait_until

HERE = pathlib.Path(__file__).parent
TEMPLATE = HERE.parent.parent / "launch" / "slurm" / "train.sbatch"


class LocalSlurm:
    def __init__(self, folder):
        assert os.environ.get("LANGEVIN_ISOLATED"), (
            "start this test with tests/testing/isolated.sh, which ends the daemons with it")
        self.folder = folder
        # Two nodes on one host: mpirun would bind the rank of each to the host's first core.
        self.environment = {**ENVIRONMENT, "SLURM_CONF": str(folder / "slurm.conf"),
                            "LANGEVIN": str(pathlib.Path(LANGEVIN).resolve()),
                            "OMPI_MCA_hwloc_base_binding_policy": "none",
                            "OMPI_MCA_mpi_yield_when_idle": "1"}

    def start(self):
        subprocess.run([HERE / "start_local_slurm.sh", self.folder], check=True, timeout=60,
                       stdout=subprocess.DEVNULL)

    def stop(self):
        subprocess.run([HERE / "stop_local_slurm.sh", self.folder], check=True, timeout=60)

    def run(self, command, check=True, environment=None, timeout=120):
        process = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                                 timeout=timeout, env={**self.environment, **(environment or {})},
                                 cwd=self.folder)
        if check and process.returncode != 0:
            raise AssertionError(f"{command} gave {process.returncode}:\n{process.stderr}")
        return process

    def srun(self, arguments, *options, **more):
        """`langevin arguments` as a job step of one task on each node."""
        return self.run(["srun", "--nodes=2", "--ntasks=2", *options, self.environment["LANGEVIN"],
                         *arguments], **more)

    def submit(self, *command, options=("--nodes=2", "--ntasks=2"), environment=None):
        """Queues train.sbatch CONFIG DATA RUN and returns the job's number."""
        output = self.run(["sbatch", "--parsable", *options, TEMPLATE, *command],
                          environment=environment).stdout
        return output.strip()

    def facts(self, job):
        """What Slurm knows of a job, as {"JobState": "RUNNING", ...}."""
        text = self.run(["scontrol", "show", "job", "--oneliner", job]).stdout
        return dict(re.findall(r"(\w+)=(\S*)", text))

    def output(self, job):
        return (self.folder / f"langevin-{job}.out").read_text()

    def stop_ranks(self, job):
        """What Slurm does some time before a job's time limit (train.sbatch's --signal)."""
        self.run(["scancel", "--signal=USR1", "--batch", job])

    def wait_for_restart(self, job, count=1):
        wait_until(lambda: int(self.facts(job)["Restarts"]) >= count
                   or self.facts(job)["JobState"] in ("COMPLETED", "FAILED", "CANCELLED"))
        assert int(self.facts(job)["Restarts"]) == count, self.output(job)

    def wait_for_end(self, job, state="COMPLETED"):
        ends = ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT", "NODE_FAIL")
        wait_until(lambda: self.facts(job)["JobState"] in ends)
        assert self.facts(job)["JobState"] == state, (self.facts(job), self.output(job))
        return self.facts(job)

    def take_node_away(self, node):
        """SIGKILL for the node's daemon and all that it started, as if its plug had been pulled."""
        pid = int((self.folder / f"slurmd-{node}.pid").read_text())
        log = str(self.folder / "log" / f"slurmd-{node}.log")
        # A step has a slurmstepd on each node, which writes the node's log; below it are the tasks.
        steps = [other for other in _processes()
                 if _read(other, "comm").strip() == "slurmstepd" and log in _open_files(other)]
        assert steps, f"no job runs on {node}"
        for victim in [pid, *steps, *_descendants(steps)]:
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def bring_node_back(self, node):
        # What the boot of a node without disks clears. Slurm 22.05 itself does not, and then what a
        # killed slurmstepd left is in the way of the same step of the requeued job.
        for left in [*(self.folder / f"spool-{node}").glob("*pmix*"),
                     *(self.folder / f"tmp-{node}").glob("*pmix*")]:
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        self.run(["slurmd", "-f", self.folder / "slurm.conf", "-N", node])


def _processes():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _read(pid, name):
    try:
        return pathlib.Path(f"/proc/{pid}/{name}").read_text()
    except OSError:
        return ""


def _open_files(pid):
    folder = pathlib.Path(f"/proc/{pid}/fd")
    try:
        return [os.readlink(link) for link in folder.iterdir()]
    except OSError:
        return []


def _descendants(pids):
    parent = {pid: _read(pid, "stat").rpartition(") ")[2].split()[1:2] for pid in _processes()}
    found, frontier = [], set(map(str, pids))
    while frontier:
        children = [pid for pid, above in parent.items() if above and above[0] in frontier]
        found += children
        frontier = set(map(str, children))
    return found
