"""A run is a function of (config, data, seed): kills, stops, threads and ranks do not change it."""
import json
import os
import random
import signal
import subprocess

import pytest
from conftest import (ENVIRONMENT, LANGEVIN, MPIRUN, digest, kill_group, newest_images_seen, run,
                      train_arguments, wait_until)


@pytest.fixture(scope="module")
def reference(dataset, tmp_path_factory):
    """The digest and the metrics of 40 steps without interruption, on one rank."""
    from conftest import TINY_CONFIG
    folder = tmp_path_factory.mktemp("reference")
    (folder / "c.textproto").write_text(TINY_CONFIG)
    run(train_arguments(folder / "c.textproto", dataset, folder / "run"))
    return digest(folder / "run"), metrics(folder / "run")


def metrics(run_folder):
    """(images_seen, loss, gradient norm) of each line, the numbers as they stand in the file."""
    lines = []
    for line in (run_folder / "metrics.jsonl").read_text().splitlines():
        fields = json.loads(line, parse_float=str)
        lines.append((fields["images_seen"], fields["loss"], fields["gradient_norm"]))
    return lines


def start(arguments, ranks=0):
    command = [LANGEVIN, *map(str, arguments)]
    if ranks:
        command = [*MPIRUN, "-n", str(ranks), *command]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                            env=ENVIRONMENT, start_new_session=True)


def train_with_kills(arguments, output, ranks, seed):
    """Kills the run four times at random moments, and lets it end."""
    rng = random.Random(seed)
    kills = 0
    while kills < 4 and newest_images_seen(output) < 640:
        before = newest_images_seen(output)
        process = start(arguments, ranks)
        # Not before it has got further than the last time, so that the test ends.
        wait_until(lambda: newest_images_seen(output) > before or process.poll() is not None)
        if process.poll() is None:
            try:
                process.wait(timeout=rng.uniform(0, 0.5))
            except subprocess.TimeoutExpired:
                pass
        kill_group(process)
        kills += 1
    run(arguments, ranks=ranks)


@pytest.mark.parametrize("ranks, seed", [(0, 1), (0, 2), (2, 3)])
def test_killed_at_random_moments_and_resumed(dataset, config, tmp_path, reference, ranks, seed):
    output = tmp_path / "run"
    train_with_kills(train_arguments(config, dataset, output), output, ranks, seed)
    assert (digest(output), metrics(output)) == reference


def test_power_averages_and_their_snapshots_survive_kills(dataset, config, tmp_path):
    results = set()
    for name in ("whole", "killed"):
        output = tmp_path / name
        arguments = train_arguments(config, dataset, output, "--set", "ema.power_std=[0.05,0.1]",
                                    "--set", "ema.snapshot_every_images=48")
        if name == "whole":
            run(arguments)
        else:
            train_with_kills(arguments, output, ranks=2, seed=4)
        snapshots = [(path.name, path.read_bytes())
                     for path in sorted((output / "ema_snapshots").iterdir())]
        assert len(snapshots) == 640 // 48 + 1  # One at the end.
        results.add(str((digest(output), metrics(output), snapshots)))
    assert len(results) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_stopped_by_a_signal_and_resumed(dataset, config, tmp_path, reference, number):
    output = tmp_path / "run"
    arguments = train_arguments(config, dataset, output)
    process = start(arguments)
    wait_until(lambda: newest_images_seen(output) > 0)
    os.kill(process.pid, number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 75, stderr
    assert b"run the same command again" in stderr
    stopped_at = newest_images_seen(output)
    assert 0 < stopped_at < 640 and stopped_at % 16 == 0
    run(arguments)
    assert (digest(output), metrics(output)) == reference


def test_one_rank_that_is_told_to_stop_stops_all(dataset, config, tmp_path, reference):
    output = tmp_path / "run"
    arguments = train_arguments(config, dataset, output)
    process = start(arguments, ranks=2)
    wait_until(lambda: newest_images_seen(output) > 0)
    children = subprocess.run(["pgrep", "-P", str(process.pid)], capture_output=True,
                              text=True).stdout.split()
    os.kill(int(children[-1]), signal.SIGUSR1)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 75, stderr
    run(arguments, ranks=4)  # And goes on with another number of ranks.
    assert (digest(output), metrics(output)) == reference


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_the_number_of_ranks_changes_no_bit(dataset, config, tmp_path, reference, ranks):
    run(train_arguments(config, dataset, tmp_path / "run"), ranks=ranks)
    assert (digest(tmp_path / "run"), metrics(tmp_path / "run")) == reference


@pytest.mark.parametrize("threads, prefetch", [(1, 1), (3, 2), (2, 9)])
def test_the_loader_changes_no_bit(dataset, config, tmp_path, reference, threads, prefetch):
    run(train_arguments(config, dataset, tmp_path / "run", "--set", f"data.loader_threads={threads}",
                        "--set", f"data.prefetch={prefetch}"))
    assert digest(tmp_path / "run") == reference[0]


def test_the_seed_and_the_augmentation_do(dataset, config, tmp_path, reference):
    for setting in ("seed=6", "data.augment.horizontal_flip=false"):
        run(train_arguments(config, dataset, tmp_path / setting, "--set", setting))
        assert digest(tmp_path / setting) != reference[0]


def test_bf16_with_dropout_and_classes_is_as_exact(dataset, config, tmp_path):
    settings = ["--set", "train.precision=BF16", "--set", "model.unet.dropout=0.2",
                "--set", "model.unet.num_class_embeds=3", "--set", "train.total_images=192"]
    digests = set()
    for ranks in (0, 2):
        output = tmp_path / f"run{ranks}"
        run(train_arguments(config, dataset, output, *settings), ranks=ranks)
        digests.add(digest(output))
    output = tmp_path / "stopped"
    run(train_arguments(config, dataset, output, *settings, "--set", "train.total_images=96"))
    run(train_arguments(config, dataset, output, *settings))
    digests.add(digest(output))
    assert len(digests) == 1


def test_a_finished_run_stays_as_it_is(dataset, config, tmp_path):
    arguments = train_arguments(config, dataset, tmp_path / "run", "--set", "train.total_images=64")
    run(arguments)
    before = digest(tmp_path / "run")
    assert "all 64 images of this run are done" in run(arguments).stderr
    assert digest(tmp_path / "run") == before


def test_falls_back_to_the_checkpoint_before_a_damaged_one(dataset, config, tmp_path, reference):
    output = tmp_path / "run"
    arguments = train_arguments(config, dataset, output)
    run(arguments + ["--set", "train.total_images=320"])
    newest = output / "checkpoints" / "images-000000000320"
    shard = newest / "shard-00000.safetensors"
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 4
    shard.write_bytes(data)
    assert run(["inspect", newest, "--digest"], check=False).returncode == 4
    process = run(arguments)
    assert str(newest) in process.stderr and "resumed from" in process.stderr
    assert newest.with_name(newest.name + ".bad").exists()
    assert (digest(output), metrics(output)) == reference


def test_resume_flags(dataset, config, tmp_path):
    arguments = train_arguments(config, dataset, tmp_path / "run", "--set", "train.total_images=64")
    process = run(arguments + ["--resume", "must"], check=False)
    assert process.returncode == 4 and "no checkpoints" in process.stderr
    run(arguments + ["--resume", "never"])
    process = run(arguments + ["--resume", "never"], check=False)
    assert process.returncode == 3 and "has checkpoints" in process.stderr
    for manifest in (tmp_path / "run" / "checkpoints").glob("images-*/MANIFEST"):
        manifest.write_bytes(b"")
    process = run(arguments, check=False)
    assert process.returncode == 4, process.stderr
