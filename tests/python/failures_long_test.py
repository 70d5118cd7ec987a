"""Ranks killed and stopped at random moments, many times. Not part of the default run:

    ctest --test-dir build -C long -R failures_long          # 30 rounds, about 5 minutes
    LANGEVIN_ROUNDS=300 ctest --test-dir build -C long -R failures_long --timeout 7200
"""
import os
import random
import signal
import time

import pytest
from conftest import TINY_CONFIG, newest_images_seen, run, wait_until
from failures import DEADLINE, RANKS, Run, rank_process

ROUNDS = int(os.environ.get("LANGEVIN_ROUNDS", "30"))


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_a_rank_is_lost_at_a_random_moment(dataset, tmp_path, seed):
    rng = random.Random(seed)
    config = tmp_path / "tiny.textproto"
    config.write_text(TINY_CONFIG)
    rank = rng.randrange(RANKS)
    number = rng.choice([signal.SIGKILL, signal.SIGSTOP])
    recovery = rng.random() < 0.5
    output = tmp_path / "run"
    started = Run(config, dataset, output, flags=["--enable-recovery"] if recovery else [],
                  settings=["train.total_images=10000000", "checkpoint.keep=2"])
    wait_until(lambda: newest_images_seen(output) > 0)
    time.sleep(rng.uniform(0, 2))
    started.struck_at = time.monotonic()
    os.kill(rank_process(output, rank), number)
    end = started.wait()
    what = f"rank {rank}, {number.name}, recovery {recovery}:\n{end.stderr}"
    assert end.code != -1 and not end.left and end.seconds < DEADLINE + 10, what
    assert (end.lines_with(f"rank {rank} is missing: last heard at images_seen ")
            or end.lines_with(f"process rank {rank}", "signal 9")), what
    if number == signal.SIGSTOP and not recovery:
        assert end.code == 5, what
    assert run(["inspect", output, "--digest"]).stdout.startswith("digest ")
