"""Orders, mixes and augmentations in whole runs: ranks and restarts change no bit of any of them."""
import pytest
from conftest import TINY_CONFIG, digest, make_idx_folder, run, train_arguments

MODES = {
    "block": "order: BLOCK lanes: 4 block_images: 8 window_blocks: 2 augment { horizontal_flip: true }",
    "augment": """augment { crop: 0.2 quarter_turns: true rotate_degrees: 20 translate: 0.2 noise: 0.1
                  intensity_scale: 0.1 edm { probability: 0.2 } } loader_threads: 2""",
    "balance": "class_balance: 0.5",
    "mix": 'weight: 3 mix { path: "OTHER" weight: 1 } class_balance: 1',
}


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    """A second data set, of 30 images of 8 x 8."""
    folder = tmp_path_factory.mktemp("other")
    make_idx_folder(folder / "source", count=30, seed=1)
    run(["prepare", "--input", folder / "source", "--output", folder / "prepared"])
    return folder / "prepared"


@pytest.mark.parametrize("mode", MODES)
def test_ranks_and_restarts_change_nothing(mode, dataset, other, tmp_path):
    config = tmp_path / "config.textproto"
    text = TINY_CONFIG.replace("data { augment { horizontal_flip: true } }",
                               "data { %s }" % MODES[mode].replace("OTHER", str(other)))
    assert MODES[mode][:10] in text
    config.write_text(text.replace("sample_every_images: 320", "sample_every_images: 0"))
    length = ["--set", "train.total_images=192"]
    run(train_arguments(config, dataset, tmp_path / "whole", *length))
    expected = digest(tmp_path / "whole")
    # Two ranks, stopped in the middle of an epoch and gone on with by one and by four.
    for images, ranks in ((64, 2), (128, 1), (192, 4)):
        run(train_arguments(config, dataset, tmp_path / "parts", "--set", f"train.total_images={images}"), ranks=ranks)
    assert digest(tmp_path / "parts") == expected
    # And the mode does something.
    plain = tmp_path / "plain.textproto"
    plain.write_text(TINY_CONFIG)
    run(train_arguments(plain, dataset, tmp_path / "plain", *length))
    assert digest(tmp_path / "plain") != expected


def test_what_does_not_go_together_is_refused(dataset, other, tmp_path):
    config = tmp_path / "config.textproto"
    make_idx_folder(tmp_path / "source", side=9)
    run(["prepare", "--input", tmp_path / "source", "--output", tmp_path / "larger"])
    for data, message, code in ((f'mix {{ path: "{tmp_path}/larger" }}', "larger: cannot be mixed", 3),
                                (f'mix {{ path: "{tmp_path}/nothing" }}', "nothing: is no data set", 4),
                                ("order: BLOCK lanes: 3", "data.lanes: value 3", 3),
                                (f'order: BLOCK lanes: 4 mix {{ path: "{other}" }}', "data.order", 3)):
        config.write_text(TINY_CONFIG.replace("data { augment { horizontal_flip: true } }", "data { %s }" % data))
        process = run(train_arguments(config, dataset, tmp_path / "run"), check=False)
        assert process.returncode == code and message in process.stderr, process.stderr
