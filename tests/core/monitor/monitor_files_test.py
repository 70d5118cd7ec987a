"""The files of a run as other programs read them: TensorBoard, JSON, PNG and HTML parsers.

LANGEVIN_MONITOR_DEMO is the program built from monitor_demo.cc. It logs every 640 images up to
35,840, goes back to 32,000 in a second process, whose losses are higher by 1, and ends at 64,000.
"""

import base64
import html.parser
import io
import json
import os
import subprocess

import numpy as np
import PIL.Image
import pytest
from tensorboard.backend.event_processing import event_accumulator

STEPS = list(range(640, 64001, 640))
SAMPLE_STEPS = list(range(6400, 64001, 6400))
SCALARS = ["loss", "gradient_norm", "learning_rate", "images_per_s", "loader_wait_share",
           "rank_spread", "skipped_steps", "loss_spikes"]


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    subprocess.run([os.environ["LANGEVIN_MONITOR_DEMO"], str(folder)], check=True)
    return folder


@pytest.fixture(scope="module")
def metrics(run):
    lines = (run / "metrics.jsonl").read_text().splitlines()
    return [json.loads(line, parse_constant=pytest.fail) for line in lines]


@pytest.fixture(scope="module")
def events(run):
    accumulator = event_accumulator.EventAccumulator(
        str(run), size_guidance={event_accumulator.SCALARS: 0, event_accumulator.IMAGES: 0})
    accumulator.Reload()
    return accumulator


def test_metrics_have_each_step_once(metrics):
    assert [line["images_seen"] for line in metrics] == STEPS
    for line in metrics:
        assert set(line) == {"images_seen", "elapsed_s", "time", *SCALARS}
    assert [line["images_seen"] for line in metrics if line["loss"] is None] == [19200]
    # What the first process logged beyond its checkpoint is gone.
    assert all((line["loss"] or 0) < 1.1 for line in metrics if line["images_seen"] <= 32000)
    assert all(line["loss"] > 1 for line in metrics if line["images_seen"] > 32000)


def test_tensorboard_has_the_numbers_of_metrics(events, metrics):
    tags = events.Tags()
    assert sorted(tags["scalars"]) == sorted(SCALARS)
    assert tags["images"] == ["samples"]
    for tag in SCALARS:
        scalars = events.Scalars(tag)
        assert [scalar.step for scalar in scalars] == STEPS
        want = [np.nan if line[tag] is None else line[tag] for line in metrics]
        np.testing.assert_allclose([scalar.value for scalar in scalars], want, rtol=1e-6)
        times = [line["time"] for line in metrics]
        np.testing.assert_allclose([scalar.wall_time for scalar in scalars], times, atol=60, rtol=0)


def test_tensorboard_images_are_the_files(events, run):
    images = events.Images("samples")
    assert [image.step for image in images] == SAMPLE_STEPS
    for image in images:
        picture = PIL.Image.open(io.BytesIO(image.encoded_image_string))
        assert picture.mode == "RGB"
        assert picture.size == (image.width, image.height) == (5 * 18 - 2, 4 * 18 - 2)
        picture.load()
        file = run / "samples" / f"images-{image.step:012d}.png"
        assert file.read_bytes() == image.encoded_image_string


def test_events_file(run):
    lines = [json.loads(line) for line in (run / "events.jsonl").read_text().splitlines()]
    assert lines[0]["what"] == "start"
    resumed = [line["what"] for line in lines].index("resumed from a checkpoint")
    assert lines[resumed]["images_seen"] == 32000
    checkpoints = [line["images_seen"] for line in lines if line["what"] == "checkpoint written"]
    assert checkpoints == SAMPLE_STEPS


class WellFormed(html.parser.HTMLParser):
    """Fails unless elements are closed in order; collects texts, pictures and element counts."""

    EMPTY = {"meta", "img", "path", "circle"}

    def __init__(self):
        super().__init__()
        self.open, self.text, self.pictures, self.count = [], "", [], {}

    def handle_starttag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1
        if tag not in self.EMPTY:
            self.open.append(tag)
        if tag == "img":
            kind, data = dict(attributes)["src"].split(",")
            assert kind == "data:image/png;base64"
            self.pictures.append(base64.b64decode(data, validate=True))

    def handle_startendtag(self, tag, attributes):
        self.count[tag] = self.count.get(tag, 0) + 1

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if "style" not in self.open:
            self.text += data


def test_report_is_well_formed_and_complete(run):
    parser = WellFormed()
    parser.feed((run / "report.html").read_text(encoding="utf-8"))
    parser.close()
    assert parser.open == []
    assert "script" not in parser.count
    assert parser.count["svg"] == 4
    newest = SAMPLE_STEPS[-6:]
    files = [(run / "samples" / f"images-{step:012d}.png").read_bytes() for step in newest]
    assert parser.pictures == files
    for text in ["garments <first try>", "100%", "after 64,000 images", "resumed from a checkpoint",
                 'act_fn: "silu"', "UNet2DModel, 1.6 million parameters"]:
        assert text in parser.text
