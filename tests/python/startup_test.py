"""The program is two files, of which one does without LibTorch; its users see one program."""
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

from conftest import ENVIRONMENT, LANGEVIN, MPIRUN, make_idx_folder, run, wait_until

TENSORS = f"{LANGEVIN}-tensors"


def libraries(arguments):
    """The libraries that a command loads, by the dynamic loader's own account."""
    process = run(arguments, environment={**ENVIRONMENT, "LD_DEBUG": "libs"})
    found = set(re.findall(r"calling init: \S*/([^/\s]+)\.so", process.stderr))
    assert "libhdf5_serial" in found, "the loader no longer says what it loads"
    return found


def has_torch(names):
    return any(name.startswith(("libtorch", "libc10")) for name in names)


def test_what_needs_no_tensors_does_not_load_libtorch(tmp_path):
    make_idx_folder(tmp_path / "source")
    data = tmp_path / "data"
    assert not has_torch(libraries(["prepare", "--input", tmp_path / "source", "--output", data]))
    assert not has_torch(libraries(["inspect", data]))
    assert not has_torch(libraries(["--help"]))
    assert not has_torch(libraries(["--version"]))
    assert has_torch(libraries(["train", "--help"]))


def test_help_is_that_of_one_program():
    text = run(["--help"]).stdout
    listed = re.findall(r"^  ([a-z]+)  ", text.split("Subcommands:")[1], re.M)
    assert set(listed) == {"prepare", "train", "sample", "evaluate", "export", "inspect",
                           "preflight", "bench"}
    for name in listed:
        own = run([name, "--help"]).stdout
        assert f"langevin {name} [OPTIONS]" in own
        # What it says of itself is what the program says of it.
        assert own.split(".")[0].split("\n")[0] in re.sub(r"\s+", " ", text)


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["train"], ["prepare"], ["--nonsense", "train"],
                                       ["train", "--nonsense"], ["bench"]])
def test_usage_errors_have_exit_code_2(arguments):
    process = run(arguments, check=False)
    assert process.returncode == 2
    assert "--help" in process.stderr


def test_runs_through_a_link_from_anywhere(tmp_path):
    link = tmp_path / "diffusion"
    link.symlink_to(os.path.abspath(LANGEVIN))
    for command in (["train", "--help"], ["prepare", "--help"]):
        subprocess.run([link, *command], cwd="/", env=ENVIRONMENT, check=True, capture_output=True)
    subprocess.run(["diffusion", "train", "--help"], cwd="/", check=True, capture_output=True,
                   env={**ENVIRONMENT, "PATH": f"{tmp_path}:{os.environ['PATH']}"})


@pytest.fixture
def training(tmp_path):
    """A process that trains for hours, and has begun to."""
    unet = pathlib.Path(__file__).parents[1] / "bench" / "unet_small.json"
    work = tmp_path / "work"
    process = subprocess.Popen([LANGEVIN, "bench", "step", "--unet", unet, "--batch", "1", "--threads", "1",
                                "--steps", "1000000", "--work", work], env=ENVIRONMENT)
    try:
        wait_until(lambda: work.exists() and any(work.iterdir()))
        yield process
    finally:
        process.kill()
        process.wait()


def test_keeps_its_process_and_its_name(training):
    file = pathlib.Path(f"/proc/{training.pid}")
    assert (file / "exe").resolve().name == "langevin-tensors"
    assert (file / "comm").read_text() == "langevin\n"
    assert training.poll() is None


def test_what_has_nothing_to_save_ends_by_sigterm(training):
    """Only train and prepare take it as a wish."""
    training.terminate()
    assert training.wait(timeout=20) == -signal.SIGTERM


def test_half_of_it_says_what_is_missing(tmp_path):
    shutil.copy(LANGEVIN, tmp_path / "langevin")
    process = subprocess.run([tmp_path / "langevin", "train", "--help"], capture_output=True, text=True)
    assert process.returncode == 4
    assert f"{tmp_path}/langevin-tensors" in process.stderr
    assert len(process.stderr.splitlines()) == 1


def test_ranks_compare_both_files(tmp_path):
    for path in (LANGEVIN, TENSORS):
        shutil.copy(path, tmp_path)
    other = tmp_path / "langevin"
    command = [*MPIRUN, "-n", "1", LANGEVIN, "preflight", ":", "-n", "1", other, "preflight"]
    for changes in (False, True):
        if changes:
            other.write_bytes(other.read_bytes() + b"\0")
        process = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)
        assert ("program: install one build" in process.stdout) == changes, process.stdout
