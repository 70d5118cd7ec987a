"""What a run leaves behind for people: metrics, TensorBoard, pictures, the report."""
import html.parser
import json

from conftest import run, train_arguments
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator


def test_files_of_a_run(dataset, config, tmp_path):
    output = tmp_path / "run"
    arguments = train_arguments(config, dataset, output)
    run(arguments + ["--set", "train.total_images=320"])
    process = run(arguments)  # Goes on: what it wrote must read as one run.
    assert "left" in process.stderr and "img/s" in process.stderr

    lines = [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]
    assert [line["images_seen"] for line in lines] == sorted({*range(48, 640, 48), 320, 640})
    assert all(line["loss"] > 0 and line["images_per_s"] > 0 for line in lines)

    events = EventAccumulator(str(output))
    events.Reload()
    losses = [(event.step, event.value) for event in events.Scalars("loss")]
    assert [step for step, _ in losses] == [line["images_seen"] for line in lines]
    for (_, value), line in zip(losses, lines):
        assert abs(value - line["loss"]) < 1e-6
    assert [image.step for image in events.Images("samples")] == [320, 640]

    grid = Image.open(output / "samples" / "images-000000000640.png")
    assert grid.size == (18, 18)  # Four samples of 8 x 8.
    report = (output / "report.html").read_text()
    html.parser.HTMLParser().feed(report)
    assert "data:image/png;base64," in report and "loss" in report and "http" not in report.replace(
        "http://www.w3.org", "")
    assert (output / "config.textproto").read_text().count("total_images: 640") == 1


def test_dry_run_writes_nothing(dataset, config, tmp_path):
    process = run(train_arguments(config, dataset, tmp_path / "run", "--dry_run"))
    assert "640 in 40 steps of 16" in process.stderr
    assert not (tmp_path / "run").exists()


def test_inspect_says_what_things_are(dataset, config, tmp_path):
    run(train_arguments(config, dataset, tmp_path / "run", "--set", "train.total_images=32"))
    assert "images-000000000032" in run(["inspect", tmp_path / "run"]).stdout
    assert "100" in run(["inspect", dataset]).stdout
    assert run(["inspect", next(dataset.glob("train-*.h5"))]).stdout
    assert run(["inspect", tmp_path / "nothing"], check=False).returncode == 4


def test_the_first_step_needs_no_preset_path(dataset, tmp_path):
    process = run(["train", "--config", "no_such_preset", "--data", dataset, "--output",
                   tmp_path / "run"], check=False)
    assert process.returncode == 3 and "fashion_mnist_quickstart" in process.stderr
