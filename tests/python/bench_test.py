"""`langevin bench`: that it measures what it says and speaks as the peers' scripts do."""
import json
import pathlib
import re
import time

from conftest import run

BENCH = pathlib.Path(__file__).resolve().parent.parent / "bench"
UNET = {"sample_size": 8, "in_channels": 1, "out_channels": 1, "layers_per_block": 1,
        "block_out_channels": [8, 16], "norm_num_groups": 4,
        "down_block_types": ["DownBlock2D", "DownBlock2D"], "up_block_types": ["UpBlock2D", "UpBlock2D"]}


def peer_keys():
    """The keys of the JSON line that peer_train.py prints, in order."""
    source = (BENCH / "peer_train.py").read_text()
    return re.findall(r'"(\w+)":', source[source.index("print(json.dumps("):])


def json_lines(process):
    return [json.loads(line) for line in process.stdout.splitlines()]


def write_unet(tmp_path):
    path = tmp_path / "unet.json"
    path.write_text(json.dumps(UNET))
    return path


def test_step_prints_the_keys_of_the_peer_and_counts_all_ranks(tmp_path):
    unet = write_unet(tmp_path)
    for ranks, more in ((0, []), (2, []), (2, ["--reduction", "fast", "--precision", "bf16"])):
        line, = json_lines(run(["bench", "step", "--unet", unet, "--batch", "2", "--steps", "3",
                                "--warmup", "1", "--threads", "1", "--work", tmp_path, "--step_ends", *more],
                               ranks=ranks))
        assert list(line) == peer_keys()
        ends = line["step_ends_s"]
        assert len(ends) == 3 and ends == sorted(ends) and 0 <= time.monotonic() - ends[-1] < 60
        assert line["peer"] == "langevin" and line["ranks"] == max(ranks, 1) and line["threads"] == 1
        assert line["dtype"] == ("bf16" if "bf16" in more else "fp32")
        assert line["batch_per_rank"] == 2 and line["parameters"] > 1000
        # Rounded to two places each.
        rate = 2 * max(ranks, 1) / (line["step_ms"] / 1e3)
        assert abs(line["images_per_s"] / rate - 1) < 0.01 / line["step_ms"] + 0.01
    assert [path.name for path in tmp_path.iterdir()] == ["unet.json"], "leaves nothing behind"


def test_startup_says_when_each_stage_was_reached(tmp_path):
    line, = json_lines(run(["bench", "startup", "--unet", write_unet(tmp_path), "--batch", "2", "--work",
                            tmp_path]))
    assert 0 < line["runtime_s"] <= line["model_s"] <= line["first_step_s"]


def test_collectives_print_each_size_and_a_fit(tmp_path):
    lines = json_lines(run(["bench", "collectives", "--min_bytes", "4096", "--max_bytes", "1048576",
                            "--repetitions", "3", "--work", tmp_path], ranks=2))
    for kind in ("all_reduce", "all_gather", "all_to_all", "ordered"):
        sizes = [line["bytes"] for line in lines if line["kind"] == kind and "bytes" in line]
        assert sizes == [4096, 16384, 65536, 262144, 1048576]
        fit, = [line for line in lines if line["kind"] == kind and "alpha_us" in line]
        assert fit["ranks"] == 2 and fit["backend"] == "mpi" and fit["bytes_per_s"] > 0


def test_loader_prints_the_keys_of_the_peer(tmp_path):
    source = (BENCH / "peer_loader.py").read_text()
    printed = source[source.index("print(json.dumps("):].splitlines()[0]
    peer = re.findall(r'"(\w+)":', printed)
    for more in ([], ["--layout", "compressed", "--threads", "2"], ["--order", "block", "--batch", "32"]):
        line, = json_lines(run(["bench", "loader", "--side", "8", "--count", "1000", "--epochs", "1", "--work",
                                tmp_path, *more]))
        assert list(line)[:4] == peer
        assert line["peer"] == "langevin" and line["side"] == 8 and line["count"] == 1000
        assert line["threads"] == (2 if "--threads" in more else 1)
        # A byte read and four written for each number.
        assert abs(line["bytes_per_s"] / (line["images_per_s"] * 8 * 8 * 3 * 5) - 1) < 0.01
        assert line["copy_bytes_per_s"] > 0


def test_what_cannot_be_measured_is_refused(tmp_path):
    process = run(["bench", "collectives"], check=False)
    assert process.returncode == 3 and "mpirun -n 2" in process.stderr
    wrong = tmp_path / "unet.json"
    wrong.write_text("{}")
    process = run(["bench", "step", "--unet", wrong, "--work", tmp_path], check=False)
    assert process.returncode == 3 and "unet.json" in process.stderr
