"""Steps that are skipped, losses that leave their range, and runs that diverge."""
import json

import h5py
import numpy as np
import pytest
from conftest import digest, newest_images_seen, run, train_arguments
from safetensors.numpy import load_file

# Its checksum is wrong as well.
SETTINGS = ["--set", "data.verify_checksums=false", "--set", "train.total_images=1280",
            "--set", "monitor.sample_every_images=0", "--set", "monitor.log_every_images=160"]


def with_a_bad_image(folder, value, count):
    """A data set in which one image has values that no other has."""
    rng = np.random.default_rng(2)
    source = folder / "source"
    source.mkdir(parents=True)
    np.save(source / "images.npy", rng.normal(size=(count, 8, 8)).astype(np.float32))
    run(["prepare", "--input", source, "--output", folder / "prepared"])
    shard, = (folder / "prepared").glob("train-*.h5")
    with h5py.File(shard, "r+") as file:
        assert file["images"].dtype == np.float32
        file["images"][37] = value
    return folder / "prepared"


@pytest.fixture(scope="module")
def infinite(tmp_path_factory):
    return with_a_bad_image(tmp_path_factory.mktemp("infinite"), np.inf, 100)


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    return with_a_bad_image(tmp_path_factory.mktemp("large"), 1000, 500)


def lines(path):
    return [json.loads(line, parse_float=str) for line in path.read_text().splitlines()]


def counts(output):
    return [(m["images_seen"], m["loss"], m["gradient_norm"], m["skipped_steps"], m["loss_spikes"])
            for m in lines(output / "metrics.jsonl")]


def told(output):
    """What the report has of warnings."""
    return [(e["images_seen"], e["what"]) for e in lines(output / "events.jsonl")
            if "loss" in e["what"]]


def finite(folder):
    return all(np.isfinite(tensor).all() for shard in folder.glob("checkpoints/images-*/*.safetensors")
               for tensor in load_file(shard).values())


def test_one_bad_image_costs_its_step_and_nothing_else(infinite, config, tmp_path):
    results = set()
    for ranks, stage, cuts in [(0, 0, []), (2, 1, []), (4, 0, [160, 480])]:
        output = tmp_path / f"{ranks}"
        stage = ["--set", f"distributed.zero_stage={stage}"]
        for total in [*cuts, 1280]:
            process = run(train_arguments(config, infinite, output, *SETTINGS, *stage, "--set",
                                          f"train.total_images={total}"), ranks=ranks)
        assert finite(output)
        results.add(str((digest(output), counts(output), told(output))))
    assert len(results) == 1, results
    metrics = counts(output)
    # 1280 images are 12.8 epochs: it came once in each.
    assert metrics[-1][3] in (12, 13), metrics
    assert all(loss is not None and float(loss) < 10 for _, loss, _, _, _ in metrics)
    # Of steps in a row, where it ends one epoch and begins the next, the first is told.
    assert metrics[-1][3] - 1 <= len(told(output)) <= metrics[-1][3]
    assert "step skipped" in process.stderr
    assert "steps skipped" in (output / "report.html").read_text()


def test_spikes_are_told_at_the_same_steps_after_a_restart(large, config, tmp_path):
    results = set()
    for ranks, cuts in [(0, []), (2, [640, 960])]:
        output = tmp_path / f"{ranks}"
        for total in [*cuts, 1280]:
            # Predicting images, not noise: of a huge one the loss is huge.
            run(train_arguments(config, large, output, *SETTINGS, "--set",
                                "diffusion.ddpm.prediction=SAMPLE", "--set",
                                f"train.total_images={total}"), ranks=ranks)
        results.add(str((digest(output), counts(output), told(output))))
    assert len(results) == 1, results
    spikes = counts(output)[-1][4]
    assert spikes > 0 and spikes == len(told(output))
    assert all("times the usual" in what for _, what in told(output))
    assert "loss spikes" in (output / "report.html").read_text()


@pytest.mark.parametrize("ranks", [0, 2])
def test_a_run_that_diverges_ends_at_its_last_good_checkpoint(dataset, config, tmp_path, ranks):
    output = tmp_path / "run"
    arguments = train_arguments(config, dataset, output, "--set", "optimizer.warmup_images=0",
                                "--set", "checkpoint.every_images=16",
                                "--set", "monitor.sample_every_images=0")
    # Of this size the second step's loss overflows. The bad steps do not push good checkpoints out.
    process = run([*arguments, "--set", "optimizer.learning_rate=1e30"], ranks=ranks, check=False)
    assert process.returncode == 3, process.stderr
    errors = [line for line in process.stderr.splitlines() if "langevin: error" in line]
    assert len(errors) == 1, process.stderr
    newest = newest_images_seen(output)
    assert newest >= 16
    for words in ["diverged", "20 steps in a row", f"images_seen {newest + 320}",
                  f"{output}/checkpoints/images-{newest:012}", "optimizer.learning_rate"]:
        assert words in errors[0], (words, errors[0])
    # The same command comes to the same end, and the checkpoint can be used.
    again = run([*arguments, "--set", "optimizer.learning_rate=1e30"], ranks=ranks, check=False)
    assert again.returncode == 3 and newest_images_seen(output) == newest
    run(["inspect", output, "--digest"])


def test_a_half_life_too_long_for_the_run_is_said_at_its_start(dataset, config, tmp_path):
    settings = ["--set", "ema.half_life_images=5000", "--set", "train.total_images=64"]
    process = run(train_arguments(config, dataset, tmp_path / "run", "--dry_run", *settings,
                                  "--set", "ema.rampup_ratio=0"))
    warnings = [line for line in process.stderr.splitlines() if "warning" in line]
    assert len(warnings) == 1 and "ema.half_life_images" in warnings[0], process.stderr
    assert "99 %" in warnings[0] and "to 7 or less" in warnings[0]
    process = run(train_arguments(config, dataset, tmp_path / "run", "--dry_run", *settings))
    assert "warning" not in process.stderr
