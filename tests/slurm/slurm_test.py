"""Runs under a real Slurm of two nodes: stopped, killed and requeued, they end with the same bits."""
import os
import pathlib
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "python"))
from conftest import (TINY_CONFIG, config, dataset, digest, newest_images_seen,  # noqa: E402,F401
                      run, train_arguments, wait_until)
from local_slurm import LocalSlurm  # noqa: E402

# Grids take time and change no weights: with one after each step a run is slow enough to be met in
# its middle on any machine.
QUICK_GRIDS = "sample_every_images: 320 sample_count: 4 sample_steps: 3"
SLOW_GRIDS = "sample_every_images: 16 sample_count: 32 sample_steps: 250"
SLOW_CONFIG = TINY_CONFIG.replace(QUICK_GRIDS, SLOW_GRIDS).replace("every_images: 64 every_seconds",
                                                                   "every_images: 16 every_seconds")
assert SLOW_GRIDS in SLOW_CONFIG


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    local_slurm = LocalSlurm(tmp_path_factory.mktemp("slurm"))
    try:
        local_slurm.start()
        yield local_slurm
    finally:
        local_slurm.stop()
    assert subprocess.run(["pgrep", "-a", "-x", "langevin"]).returncode == 1, "ranks are left"


@pytest.fixture(scope="module")
def reference(dataset, tmp_path_factory):
    """The digest of a run on one rank, without Slurm and without interruption."""
    folder = tmp_path_factory.mktemp("reference")
    (folder / "c.textproto").write_text(TINY_CONFIG)
    run(train_arguments(folder / "c.textproto", dataset, folder / "run"))
    return digest(folder / "run")


class Job:
    """A slow run of train.sbatch that has written a checkpoint, and will be quick once restarted."""

    def __init__(self, slurm, config, dataset, output, *flags, **submission):
        config.write_text(SLOW_CONFIG)
        self.slurm, self.output = slurm, output
        self.number = slurm.submit(config, dataset, output, *flags, **submission)
        wait_until(lambda: newest_images_seen(output) > 0
                   or slurm.facts(self.number)["JobState"] not in ("PENDING", "RUNNING"))
        assert slurm.facts(self.number)["JobState"] == "RUNNING", slurm.output(self.number)
        config.write_text(TINY_CONFIG)

    def expect_restart_and_end(self, reference):
        self.slurm.wait_for_restart(self.number)
        self.slurm.wait_for_end(self.number)
        text = self.slurm.output(self.number)
        # One file has both attempts.
        assert text.count("first step finished") >= 2 and "resumed from" in text, text
        assert digest(self.output) == reference
        return text


def test_srun_gives_the_same_bits(slurm, dataset, config, tmp_path, reference):
    process = slurm.srun(train_arguments(config, dataset, tmp_path / "run"), "--mpi=pmix")
    assert "2, 1 on this host" in process.stderr
    assert digest(tmp_path / "run") == reference


def test_srun_without_pmix_is_refused_before_anything_is_written(slurm, dataset, config, tmp_path):
    arguments = train_arguments(config, dataset, tmp_path / "run")
    process = slurm.srun(arguments, "--mpi=none", check=False)
    assert process.returncode == 5, process.stderr
    assert "alone in its world; start it with `srun --mpi=pmix`" in process.stderr
    assert not (tmp_path / "run").exists()

    process = slurm.srun(["preflight"], "--mpi=none", check=False)
    assert process.returncode == 5 and "each process is alone" in process.stdout, process.stderr
    assert process.stdout.count("launcher") == 2, "the table comes once, with one advice"


def test_preflight_under_srun(slurm, dataset, config, tmp_path):
    process = slurm.srun(["preflight", "--data", dataset, "--config", config, "--output",
                          tmp_path / "run"], "--mpi=pmix")
    assert "srun with PMIx, Slurm job of 2 tasks" in process.stdout
    assert "WRONG" not in process.stdout


@pytest.mark.parametrize("launcher", ["srun", "mpirun"])
def test_told_to_stop_it_saves_and_is_requeued(slurm, dataset, config, tmp_path, reference,
                                               launcher):
    job = Job(slurm, config, dataset, tmp_path / "run", environment={"LAUNCHER": launcher})
    slurm.stop_ranks(job.number)
    text = job.expect_restart_and_end(reference)
    assert "exit code 75: stopped early" in text and "everything saved" in text, text


def test_the_time_limit_stops_and_requeues(slurm, dataset, config, tmp_path, reference):
    # Slurm looks at limits every 30 s and sends the signal up to 60 s early: here it comes 10 to
    # 40 s after the start.
    job = Job(slurm, config, dataset, tmp_path / "run",
              options=["--nodes=2", "--ntasks=2", "--time=2", "--signal=B:USR1@80"])
    text = job.expect_restart_and_end(reference)
    assert "exit code 75: stopped early" in text, text


# n1 has the batch script: Slurm itself requeues. Of n2 the script or Slurm hears first.
@pytest.mark.parametrize("node", ["n1", "n2"])
def test_a_node_that_dies_and_comes_back(slurm, dataset, config, tmp_path, reference, node):
    job = Job(slurm, config, dataset, tmp_path / "run", "--set", "distributed.timeout_seconds=5")
    slurm.take_node_away(node)
    try:
        slurm.wait_for_restart(job.number)
    finally:
        slurm.bring_node_back(node)
    job.expect_restart_and_end(reference)


@pytest.mark.parametrize("launcher", ["srun", "mpirun"])
def test_a_rank_that_is_killed(slurm, dataset, config, tmp_path, reference, launcher):
    job = Job(slurm, config, dataset, tmp_path / "run", "--set", "distributed.timeout_seconds=5",
              environment={"LAUNCHER": launcher})
    ranks = subprocess.run(["pgrep", "-x", "langevin"], capture_output=True, text=True).stdout.split()
    assert len(ranks) == 2
    os.kill(int(ranks[1]), signal.SIGKILL)
    text = job.expect_restart_and_end(reference)
    assert "failure 1 of at most 5 after images-" in text, text


def test_failures_without_progress_are_requeued_a_few_times_only(slurm, dataset, config, tmp_path):
    program = tmp_path / "langevin"
    program.write_text("#!/bin/sh\nexit 5\n")
    program.chmod(0o755)
    job = slurm.submit(config, dataset, tmp_path / "run",
                       environment={"LANGEVIN": str(program), "MAX_RESTARTS": "1"})
    facts = slurm.wait_for_end(job, state="FAILED")
    assert (facts["Restarts"], facts["ExitCode"]) == ("1", "5:0")
    assert "2 failures after nothing: giving up" in slurm.output(job)


def test_what_cannot_work_is_not_tried_again(slurm, dataset, config, tmp_path):
    job = slurm.submit(config, tmp_path / "no_data", tmp_path / "run")
    facts = slurm.wait_for_end(job, state="FAILED")
    assert (facts["Restarts"], facts["ExitCode"]) == ("0", "4:0"), slurm.output(job)


def test_scancel_is_the_end(slurm, dataset, config, tmp_path):
    job = Job(slurm, config, dataset, tmp_path / "run")
    slurm.run(["scancel", job.number])
    facts = slurm.wait_for_end(job.number, state="CANCELLED")
    assert facts["Restarts"] == "0"
    wait_until(lambda: subprocess.run(["pgrep", "-x", "langevin"]).returncode == 1, seconds=30)


def test_tasks_of_an_array_are_runs_of_their_own(slurm, dataset, config, tmp_path):
    config.write_text(SLOW_CONFIG.replace("total_images: 640", "total_images: 64"))
    quick = tmp_path / "quick.textproto"
    quick.write_text(TINY_CONFIG.replace("total_images: 640", "total_images: 64"))
    array = slurm.submit(config, dataset, tmp_path / "run",
                         options=["--nodes=1", "--ntasks=1", "--array=1-2"])
    tasks = [f"{array}_1", f"{array}_2"]
    wait_until(lambda: newest_images_seen(tmp_path / "run" / "2") > 0)
    config.write_text(quick.read_text())
    slurm.stop_ranks(tasks[1])
    slurm.wait_for_restart(tasks[1])
    for task, seed, restarts in zip(tasks, (1, 2), ("0", "1")):
        assert slurm.wait_for_end(task)["Restarts"] == restarts
        alone = tmp_path / f"alone{seed}"
        run(train_arguments(quick, dataset, alone, "--set", f"seed={seed}"))
        assert digest(tmp_path / "run" / str(seed)) == digest(alone)
