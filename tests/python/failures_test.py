"""One of four ranks comes to grief in each phase of a step: all end in time and say who it was.

The faults are real (a signal, an exception, a write that the kernel refuses); LANGEVIN_FAULT only
makes them strike in the phase that is meant (launch/fault_injection.h).
"""
import concurrent.futures
import re

import pytest
from conftest import ENVIRONMENT, TINY_CONFIG, digest, run, train_arguments
from failures import DEADLINE, RANKS, SETTINGS, START_DEADLINE, Run, processes_of

PHASES = ["start", "resume", "load", "forward_backward", "all_reduce", "optimizer", "sample", "agree",
          "checkpoint"]
KINDS = ["kill", "stop", "throw", "out_of_memory", "full_disk"]
# What no launcher can see: they are alive, or it has been told to leave the others alone.
WATCHDOG_CASES = [("hang", "load"), ("hang", "optimizer"), ("hang", "checkpoint"),
                  ("kill_recovery", "all_reduce"), ("kill_recovery", "checkpoint")]
CASES = [(kind, phase) for phase in PHASES for kind in KINDS] + WATCHDOG_CASES
AT_ONCE = 3  # Most of their time is waiting.
HEARTBEATS = 1.2  # Seconds that the fault lets pass first, so that the others know the phase.


def images_seen_of(phase):
    return 0 if phase in ("start", "resume") else 32


def rank_of(kind, phase):
    return (KINDS + ["hang", "kill_recovery"]).index(kind) % 3 + 1 if phase != "agree" else 0


@pytest.fixture(scope="module")
def prepared(dataset, tmp_path_factory):
    """Config, data set, and the digest of a run to which nothing happens."""
    folder = tmp_path_factory.mktemp("failures")
    config = folder / "tiny.textproto"
    config.write_text(TINY_CONFIG)
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    run(train_arguments(config, dataset, folder / "reference", *settings))
    return config, dataset, digest(folder / "reference")


@pytest.fixture(scope="module")
def ended(prepared, tmp_path_factory):
    """How each case has ended."""
    config, data, _ = prepared
    folder = tmp_path_factory.mktemp("cases")

    def end_of(case):
        kind, phase = case
        fault = (f"rank={rank_of(kind, phase)},phase={phase},images_seen={images_seen_of(phase)},"
                 f"kind={kind.removesuffix('_recovery')}")
        flags = ["--enable-recovery"] if kind == "kill_recovery" else []
        return Run(config, data, folder / f"{kind}-{phase}", fault, flags).wait()

    with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
        return dict(zip(CASES, pool.map(end_of, CASES)))


def check_end(end, phase):
    assert end.code != -1, f"did not end:\n{end.stderr}"
    assert not end.left, f"processes {end.left} were left:\n{end.stderr}"
    deadline = START_DEADLINE if phase == "start" else DEADLINE
    assert end.seconds < HEARTBEATS + deadline + 10, end.stderr


def check_survivors(end, rank, collectives=True):
    """All others say that `rank` is missing and show their last collectives."""
    others = set(range(RANKS)) - {rank}
    assert end.ranks_that_say(f"rank {rank} is missing: ") == others, end.stderr
    assert end.ranks_that_say(" collectives: ") == others, end.stderr
    if not collectives:
        return
    for other in others:
        record = (end.output / f"flight-rank-{other:05d}.txt").read_text()
        assert f"rank {rank} is missing" in record
        assert re.search(r"#\d+ \w+, \d+ bytes: started", record), record


@pytest.mark.parametrize("phase", PHASES)
def test_a_killed_rank(ended, phase):
    end, rank = ended["kill", phase], rank_of("kill", phase)
    check_end(end, phase)
    assert end.code in (5, 137), end.stderr
    # The launcher sees it first, ends the others, and names the rank.
    assert (end.lines_with(f"process rank {rank}", "signal 9")
            or end.ranks_that_say(f"rank {rank} is missing")), end.stderr


@pytest.mark.parametrize("phase", PHASES)
def test_a_stopped_rank(ended, phase):
    end, rank = ended["stop", phase], rank_of("stop", phase)
    check_end(end, phase)
    assert end.code == 5, end.stderr
    assert end.lines_with(f"rank {rank} is missing: last heard at images_seen "
                          f"{images_seen_of(phase)}, phase {phase}"), end.stderr
    check_survivors(end, rank, collectives=phase not in ("start", "resume"))


@pytest.mark.parametrize("kind, code, words", [
    ("throw", 70, "LANGEVIN_FAULT has thrown this"), ("out_of_memory", 6, "out of memory")])
@pytest.mark.parametrize("phase", PHASES)
def test_a_rank_with_an_error(ended, phase, kind, code, words):
    end, rank = ended[kind, phase], rank_of(kind, phase)
    check_end(end, phase)
    assert end.code == code, end.stderr
    errors = end.lines_with("langevin: error: ")
    assert len(errors) == 1 and f"rank {rank}: " in errors[0] and words in errors[0], end.stderr


@pytest.mark.parametrize("phase", PHASES)
def test_a_full_disk(ended, prepared, phase):
    end, rank = ended["full_disk", phase], rank_of("full_disk", phase)
    assert end.code == 0 and not end.left, end.stderr
    assert digest(end.output) == prepared[2]
    names = {folder.name for folder in (end.output / "checkpoints").iterdir()}
    expected = {"images-000000000032", "images-000000000064", "images-000000000096"}
    if phase == "checkpoint":
        assert names == expected - {"images-000000000032"}
        assert end.lines_with("warning", "no checkpoint", f"rank {rank}: "), end.stderr
    else:
        assert names == expected


@pytest.mark.parametrize("kind, phase", WATCHDOG_CASES)
def test_what_no_launcher_sees(ended, kind, phase):
    end, rank = ended[kind, phase], rank_of(kind, phase)
    check_end(end, phase)
    missing = f"rank {rank} is missing: last heard at images_seen 32, phase {phase}"
    assert end.lines_with(missing), end.stderr
    if kind == "hang":
        assert end.code == 5, end.stderr
        assert end.lines_with(missing, ": it has not come to "), end.stderr
    else:  # mpirun's own code is 0 by definition.
        # The first to end takes the others along, if they are not as fast.
        codes = {code for other, code in end.exit_codes.items() if other != rank}
        assert 5 in codes and codes <= {5, 137, 143}, end.exit_codes
        check_survivors(end, rank)


def test_a_full_disk_at_the_last_checkpoint(prepared, tmp_path):
    config, data, reference = prepared
    output = tmp_path / "run"
    end = Run(config, data, output, "rank=3,phase=checkpoint,images_seen=96,kind=full_disk").wait()
    check_end(end, "checkpoint")
    assert end.code == 6, end.stderr
    errors = end.lines_with("langevin: error: ")
    assert len(errors) == 1 and "images-000000000096" in errors[0] and "rank 3: " in errors[0]
    # Run again, it goes on from the one before.
    again = Run(config, data, tmp_path / "run", settings=["monitor.log_every_images=32"])
    assert again.wait().code == 0
    assert digest(output) == reference


def test_a_full_disk_at_the_start(prepared, tmp_path):
    config, data, _ = prepared
    end = Run(config, data, tmp_path / "run", "rank=0,phase=start,kind=full_disk").wait()
    assert end.code == 6, end.stderr
    assert len(end.lines_with("langevin: error: ", "--output")) == 1, end.stderr


def test_a_slow_rank_is_named(prepared, tmp_path):
    config, data, reference = prepared
    end = Run(config, data, tmp_path / "run", "rank=2,phase=load,kind=slow,seconds=0.4").wait()
    assert end.code == 0, end.stderr
    assert end.lines_with("langevin: warning: ", "rank 2 on ", "is slow", "phase load"), end.stderr
    assert digest(end.output) == reference


@pytest.mark.parametrize("fault, code, words", [
    ("rank=2,phase=sample,kind=throw", 70, "rank 2: this rank: LANGEVIN_FAULT has thrown this"),
    ("rank=2,phase=start,kind=stop", 5, "rank 2 is missing: last heard at images_seen 0, phase start")])
def test_sampling_ends_too(prepared, tmp_path, fault, code, words):
    reference = prepared[0].parent / "reference"
    environment = {**ENVIRONMENT, "LANGEVIN_START_SECONDS": str(START_DEADLINE), "LANGEVIN_FAULT": fault}
    process = run(["sample", "--model", reference, "--output", tmp_path / "samples", "--count", "8",
                   "--steps", "2"], ranks=RANKS, check=False, environment=environment, timeout=60)
    assert process.returncode == code and words in process.stderr, process.stderr
    assert not processes_of(tmp_path) and not (tmp_path / "samples").exists()


def test_a_fault_that_cannot_be_read_is_refused(prepared, tmp_path):
    config, data, _ = prepared
    end = Run(config, data, tmp_path / "run", "rank=2,phase=load,kind=explode").wait()
    assert end.code == 3 and end.lines_with("LANGEVIN_FAULT", "explode"), end.stderr
    assert not end.output.exists()
