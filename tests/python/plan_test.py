"""`langevin train --dry_run --ranks N`: plans for ranks that are not there."""
import json

import pytest
from conftest import run, train_arguments


@pytest.fixture
def plan(dataset, config, tmp_path):
    """A function: the plan for so many ranks, and more arguments, as a dictionary."""
    def make(ranks, *more):
        arguments = train_arguments(config, dataset, tmp_path / "run", "--dry_run", "--ranks", ranks, "--json")
        process = run([*arguments, *more])
        assert not (tmp_path / "run").exists()
        return json.loads(process.stdout)
    return make


def way(plan, name):
    found, = [entry for entry in plan["distributions"] if entry["name"] == name]
    return found


def test_batch_data_and_checkpoint(plan):
    four = plan(4)
    assert four["batch"] == {"ranks": 4, "global_batch": 16, "microbatch": 4, "microbatches": 4,
                             "accumulation_steps": 1, "images_per_rank": 4, "steps": 40}
    assert four["data"]["images"] == 100 and four["data"]["images_per_rank_and_epoch"] == 25
    assert four["data"]["steps_per_epoch"] == 6.25
    assert four["compute"]["microbatch_ms"] > 0 and four["compute"]["optimizer_ms"] > 0
    whole = four["compute"]["parameters"] * 16 / 2**20
    assert four["checkpoint"]["mib"] == pytest.approx(whole, abs=0.01)
    assert four["checkpoint"]["mib_per_rank"] == pytest.approx(whole / 4, abs=0.01)
    assert four["checkpoint"]["fit_on_disk"] > 10
    assert plan(2)["batch"]["accumulation_steps"] == 2


def test_ordered_moves_the_bytes_of_fast_and_stage_1_saves_memory(plan):
    given = ("--microbatch_ms", 10, "--optimizer_ms", 1, "--network", "nvlink_ndr")
    wide = plan(4096, *given, "--set", "train.global_batch=16384", "--set", "train.total_images=163840")
    ordered, fast = way(wide, "ORDERED, stage 0"), way(wide, "FAST, stage 0")
    assert ordered["configured"] and not fast["configured"]
    # The rest that 4,096 ranks cannot share evenly is handed around whole.
    assert ordered["traffic"]["mib_sent_per_rank"] >= fast["traffic"]["mib_sent_per_rank"]
    sharded = way(wide, "ORDERED, stage 1")
    assert sharded["memory_mib"]["moments"] <= ordered["memory_mib"]["moments"] / 100
    assert wide["distributions"][0]["memory_mib"]["activations, estimated"] == "not measured"
    for entry in wide["distributions"]:
        assert set(entry["time"]) == {"nvlink_ndr"} and 0 < entry["time"]["nvlink_ndr"]["efficiency"] <= 1.1


def test_a_slower_network_gives_a_longer_step(plan):
    times = way(plan(4, "--microbatch_ms", 1), "FAST, stage 0")["time"]
    assert set(times) == {"10gbe", "100gbe", "ib_hdr", "nvlink_ndr"}
    two_nodes = way(plan(16, "--microbatch_ms", 1, "--set", "train.global_batch=64",
                         "--set", "train.total_images=640"), "FAST, stage 0")["time"]
    steps = [two_nodes[name]["step_ms"] for name in ("10gbe", "100gbe", "ib_hdr", "nvlink_ndr")]
    assert steps == sorted(steps, reverse=True)


def test_a_measured_network(plan, tmp_path):
    measured = tmp_path / "collectives.jsonl"
    measured.write_text(run(["bench", "collectives", "--max_bytes", "262144", "--repetitions", "3"],
                            ranks=2).stdout)
    entry = way(plan(4, "--collectives", measured), "ORDERED, stage 0")
    assert entry["time"]["measured"]["exposed_ms"] == entry["time"]["measured"]["communication_ms"] > 0


def test_the_plan_reads_as_a_text(dataset, config, tmp_path):
    process = run(train_arguments(config, dataset, tmp_path / "run", "--dry_run", "--ranks", 4))
    for text in ("accumulation_steps", "ORDERED, stage 0 (this config)", "all_to_all", "activations, estimated",
                 "nvlink_ndr", "efficiency", "fit_on_disk"):
        assert text in process.stdout, text


def test_what_cannot_be_planned_is_refused(dataset, config, tmp_path):
    arguments = train_arguments(config, dataset, tmp_path / "run")
    process = run([*arguments, "--dry_run", "--ranks", 3], check=False)
    assert process.returncode == 3 and "start 1, 2, 4 ranks" in process.stderr
    assert run([*arguments, "--ranks", 4], check=False).returncode == 2
    process = run([*arguments, "--dry_run", "--ranks", 4, "--network", "pigeon"], check=False)
    assert process.returncode == 3 and "10gbe, 100gbe, ib_hdr, nvlink_ndr" in process.stderr
    process = run([*arguments, "--dry_run", "--ranks", 4, "--collectives", config], check=False)
    assert process.returncode == 3 and "tiny.textproto" in process.stderr
    assert run([*arguments, "--dry_run", "--ranks", 2], ranks=2, check=False).returncode == 3
    assert not (tmp_path / "run").exists()


def test_where_nothing_hides_exchanges_each_rank_updates_its_slice(dataset, config, tmp_path):
    for overlap, sliced in (("true", False), ("false", True)):
        process = run(train_arguments(config, dataset, tmp_path / "run", "--dry_run", "--set",
                                      f"distributed.overlap={overlap}"), ranks=2)
        assert ("sliced over the ranks (ZeRO-1)" in process.stderr) == sliced
