"""Wrong, missing, truncated, hostile: one clear message, the right exit code, nothing half-written."""
import os
import shutil
import signal
import subprocess
import time

import numpy as np
import pytest
from conftest import (ENVIRONMENT, LANGEVIN, MPIRUN, make_idx_folder, newest_images_seen, run,
                      train_arguments, wait_until)
from PIL import Image


def fails(arguments, code, *words, **options):
    """Runs langevin and expects the exit code and one error line with all of `words` in it."""
    process = run(arguments, check=False, **options)
    assert process.returncode == code, process.stderr
    errors = [line for line in process.stderr.splitlines() if line.startswith("langevin: error")]
    assert len(errors) == 1, process.stderr
    for word in words:
        assert str(word) in errors[0], errors[0]
    return process


@pytest.mark.parametrize("text, words", [
    ("train { total_imagse: 5 }", ["c.textproto:1", "total_imagse", "total_images"]),
    ("seed: 1\ntrain { total_images: \"many\" }", ["c.textproto:2", "total_images"]),
    ("train { total_images: 64 global_batch: 16 microbatch: 5 }", ["c.textproto:1", "microbatch", "5"]),
    ("train { total_images: 64 global_batch: 16 microbatch: 8 }\noptimizer { beta1: 1.5 }",
     ["c.textproto:2", "beta1", "1.5"]),
    ("train { total_images: 64 global_batch: 16 microbatch: 8 } model { unet {", ["c.textproto"]),
])
def test_bad_configs(dataset, tmp_path, text, words):
    (tmp_path / "c.textproto").write_text(text)
    fails(train_arguments(tmp_path / "c.textproto", dataset, tmp_path / "run"), 3, *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("setting, words", [
    ("model.unet.block_out_channels=[16,33]", ["33"]),
    ("model.unet.sample_size=[7]", ["sample_size"]),
    ("monitor.sample_steps=2000", ["sample_steps", "2000"]),
    ("model.unet.in_channels=3", ["in_channels", "3"]),
    ("model.unet.attention_head_dim=64", ["attention_head_dim", "64"]),
    ("train.microbatch=7", ["train.microbatch", "7"]),
    ("no.such.field=1", ["no"]),
    ("train.precision=FP8", ["FP8", "FP32"]),
    ("model.unet.block_out_channels=[65536,65536]", ["parameters", "GiB"]),
])
def test_bad_settings(dataset, config, tmp_path, setting, words):
    fails(train_arguments(config, dataset, tmp_path / "run", "--set", setting), 3, *words)
    assert not (tmp_path / "run").exists()


def test_ranks_that_were_given_different_runs(dataset, config, tmp_path):
    arguments = train_arguments(config, dataset, tmp_path / "run")
    one = [LANGEVIN, *map(str, arguments)]
    process = subprocess.run([*MPIRUN, "-n", "1", *one, ":", "-n", "1", *one, "--set", "seed=6"],
                             capture_output=True, text=True, timeout=120, env=ENVIRONMENT)
    assert process.returncode == 3, process.stderr
    said = [line for line in process.stderr.splitlines() if "langevin: error" in line]
    assert len(said) == 1 and 'rank 1' in said[0] and '"seed: 6"' in said[0] and '"seed: 5"' in said[0]
    assert not (tmp_path / "run").exists()


def test_missing_config_and_data(dataset, config, tmp_path):
    fails(train_arguments(tmp_path / "none.textproto", dataset, tmp_path / "run"), 3, "none.textproto")
    fails(train_arguments(config, tmp_path / "none", tmp_path / "run"), 4, tmp_path / "none")
    assert not (tmp_path / "run").exists()


def test_usage_errors(dataset):
    assert run(["train"], check=False).returncode == 2
    assert run(["frobnicate"], check=False).returncode == 2
    assert run([], check=False).returncode == 2
    for command in ("prepare", "train", "sample", "export", "inspect", "preflight"):
        help_text = run([command, "--help"]).stdout
        assert "--help" in help_text and len(help_text) > 200


def damaged(dataset, tmp_path, damage):
    copy = tmp_path / "damaged"
    shutil.copytree(dataset, copy)
    damage(next(copy.glob("train-*.h5")))
    return copy


def flip_pixel(shard):
    data = bytearray(shard.read_bytes())
    data[-100] ^= 1  # Pixels or labels; both are looked at below.
    shard.write_bytes(data)


@pytest.mark.parametrize("damage", [
    lambda shard: shard.unlink(),
    lambda shard: shard.write_bytes(b""),
    lambda shard: shard.write_bytes(shard.read_bytes()[:3000]),
    lambda shard: shard.write_bytes(shard.read_bytes()[:-10]),
    flip_pixel,
])
def test_damaged_shards(dataset, config, tmp_path, damage):
    data = damaged(dataset, tmp_path, damage)
    fails(train_arguments(config, data, tmp_path / "run"), 4, "train-00000-of-00001.h5")


def test_a_flipped_bit_in_an_image_is_found(dataset, config, tmp_path):
    def damage(shard):
        import h5py
        with h5py.File(shard, "r") as f:
            offset = f["images"].id.get_offset()
        data = bytearray(shard.read_bytes())
        data[offset + 777] ^= 16
        shard.write_bytes(data)
    data = damaged(dataset, tmp_path, damage)
    fails(train_arguments(config, data, tmp_path / "run"), 4, "train-00000-of-00001.h5")


def write_png(path, height=8, width=8, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width), dtype=np.uint8)
    Image.fromarray(pixels).save(path)


def test_image_folders(tmp_path):
    for i in range(6):
        write_png(tmp_path / "good" / f"class{i % 2}" / f"{i}.png", seed=i)
    bad = tmp_path / "good" / "class0" / "bad.png"
    bad.write_bytes((tmp_path / "good" / "class0" / "0.png").read_bytes()[:60])
    process = run(["prepare", "--input", tmp_path / "good", "--output", tmp_path / "data"])
    assert "bad.png" in process.stderr
    assert "bad.png" in (tmp_path / "data" / "rejected.csv").read_text()

    write_png(tmp_path / "mixed" / "a.png", 8, 8)
    write_png(tmp_path / "mixed" / "b.png", 8, 10)
    fails(["prepare", "--input", tmp_path / "mixed", "--output", tmp_path / "m"], 4, "8 x 8", "8 x 10")
    (tmp_path / "empty").mkdir()
    fails(["prepare", "--input", tmp_path / "empty", "--output", tmp_path / "e"], 4, tmp_path / "empty")
    fails(["prepare", "--input", tmp_path / "none", "--output", tmp_path / "n"], 4, tmp_path / "none")
    (tmp_path / "all_bad").mkdir()
    (tmp_path / "all_bad" / "x.png").write_bytes(bad.read_bytes())
    process = run(["prepare", "--input", tmp_path / "all_bad", "--output", tmp_path / "x"], check=False)
    assert process.returncode == 4
    left = {p.name for p in tmp_path.iterdir()}
    assert left == {"good", "data", "mixed", "empty", "all_bad"}


def test_folders_of_others_are_left_alone(dataset, config, tmp_path):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").write_bytes(b"x")
    fails(train_arguments(config, dataset, tmp_path / "photos"), 3, "photos")
    fails(["sample", "--model", tmp_path / "photos", "--output", tmp_path / "s"], 4, "photos")

    run(train_arguments(config, dataset, tmp_path / "run", "--set", "train.total_images=32"))
    fails(train_arguments(config, dataset, tmp_path / "run", "--set", "seed=8"), 3, "seed", "5", "8")
    make_idx_folder(tmp_path / "other_source", seed=9)
    run(["prepare", "--input", tmp_path / "other_source", "--output", tmp_path / "other"])
    fails(train_arguments(config, tmp_path / "other", tmp_path / "run"), 3, "data set")
    fails(["export", "--run", tmp_path / "run", "--output", tmp_path / "photos"], 3, "photos")


def test_output_that_cannot_be_written(dataset, config, tmp_path):
    # procfs refuses new folders even to root.
    fails(train_arguments(config, dataset, "/proc/langevin_run"), 3, "/proc/langevin_run", "--output")
    (tmp_path / "file").write_text("x")
    fails(train_arguments(config, dataset, tmp_path / "file" / "run"), 3, tmp_path / "file")


def test_ranks_that_cannot_share_the_batch(dataset, config, tmp_path):
    fails(train_arguments(config, dataset, tmp_path / "run"), 3, "3 ranks", "4 microbatches",
          "1, 2, 4", ranks=3)
    fails(train_arguments(config, dataset, tmp_path / "run"), 3, "8 ranks", ranks=8)
    assert not (tmp_path / "run").exists()


def test_errors_on_all_ranks_are_told_once(config, tmp_path):
    fails(train_arguments(config, tmp_path / "none", tmp_path / "run"), 4, tmp_path / "none", ranks=2)


def test_srun_without_pmix_is_refused(dataset, config, tmp_path):
    environment = {**ENVIRONMENT, "SLURM_NTASKS": "4", "SLURM_PROCID": "2", "SLURM_JOB_ID": "1"}
    fails(train_arguments(config, dataset, tmp_path / "run"), 5, "--mpi=pmix",
          environment=environment)
    assert not (tmp_path / "run").exists()


def start_ranks(arguments, ranks):
    return subprocess.Popen([*MPIRUN, "-n", str(ranks), LANGEVIN, *map(str, arguments)],
                            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                            env=ENVIRONMENT, start_new_session=True)


def child_of_rank(mpirun_pid, rank):
    for pid in subprocess.run(["pgrep", "-P", str(mpirun_pid)], capture_output=True,
                              text=True).stdout.split():
        with open(f"/proc/{pid}/environ", "rb") as f:
            if f"OMPI_COMM_WORLD_RANK={rank}".encode() in f.read().split(b"\0"):
                return int(pid)
    raise AssertionError(f"no rank {rank}")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP])
def test_a_rank_that_is_gone_ends_the_others_within_a_minute(dataset, config, tmp_path, number):
    output = tmp_path / "run"
    process = start_ranks(train_arguments(
        config, dataset, output, "--set", "train.total_images=1000000", "--set",
        "distributed.timeout_seconds=10"), 4)
    wait_until(lambda: newest_images_seen(output) > 0)
    victim = child_of_rank(process.pid, 2)
    os.kill(victim, number)
    begin = time.monotonic()
    _, stderr = process.communicate(timeout=60)
    assert time.monotonic() - begin < 60
    assert process.returncode != 0
    # With SIGKILL the launcher ends the others first, and its own line names the rank.
    named = "rank 2 is missing" in stderr or "process rank 2" in stderr
    assert named, stderr
    if number == signal.SIGSTOP:
        assert process.returncode == 5 and "rank 2 is missing: last heard at images_seen" in stderr
    wait_until(lambda: not os.path.exists(f"/proc/{victim}"), 20)
