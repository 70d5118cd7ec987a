"""`langevin evaluate` against NumPy and SciPy, by pixels and by a TorchScript network."""
import json
import pathlib
import subprocess
import sys

import html5lib
import numpy as np
import pytest
import scipy.linalg
import torch
from conftest import make_idx_folder, run, train_arguments, write_idx
from diffusers import DDIMPipeline, DDIMScheduler, UNet2DModel
from feature_net import FeatureNet
from safetensors.numpy import save_file

SIDE, TRAIN, HELD_OUT, SAMPLES = 20, 300, 120, 150
PIXEL_NAMES = ["fid", "kid", "precision", "recall", "density", "coverage", "nearest_neighbour_share"]


def blurred(rng, count):
    """Images with some structure, uint8."""
    coarse = rng.integers(0, 256, (count, 5, 5))
    noise = rng.integers(-20, 21, (count, SIDE, SIDE))
    return np.clip(np.kron(coarse, np.ones((4, 4), int)) + noise, 0, 255).astype(np.uint8)


class World:
    """A data set, samples of which some are copies, and a feature network with its answers."""

    def __init__(self, folder):
        rng = np.random.default_rng(0)
        self.train, self.held_out = blurred(rng, TRAIN), blurred(rng, HELD_OUT)
        samples = np.concatenate([blurred(rng, SAMPLES - 10), self.train[40:50]])
        source = folder / "source"
        source.mkdir()
        for name, images in (("train", self.train), ("t10k", self.held_out)):
            write_idx(source / f"{name}-images-idx3-ubyte", images)
            write_idx(source / f"{name}-labels-idx1-ubyte", np.arange(len(images)) % 4)
        self.data = folder / "data"
        run(["prepare", "--input", source, "--output", self.data])
        # Samples are no multiples of 1/255, and some are outside of [-1, 1].
        self.samples = (samples[:, None] / 127.5 - 1 +
                        rng.uniform(-0.003, 0.003, (SAMPLES, 1, SIDE, SIDE))).astype(np.float32)
        self.folder = folder / "samples"
        self.folder.mkdir()
        save_file({"samples": self.samples}, self.folder / "samples.safetensors")
        # What the metrics are to see of them: what a PNG would hold.
        self.sample_images = np.clip(np.rint((self.samples[:, 0].astype(np.float64) + 1) * 127.5),
                                     0, 255)
        torch.manual_seed(0)
        self.network = FeatureNet(4).eval()
        self.network_file = folder / "network.pt"
        torch.jit.script(self.network).save(self.network_file)

    def network_features(self, images):
        with torch.no_grad():
            features, logits = self.network(
                torch.from_numpy(images[:, None] / 127.5 - 1).float())
        return features.double().numpy(), logits.double().numpy()


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return World(tmp_path_factory.mktemp("world"))


def pixels(images):
    """The 20 x 20 pixels in [-1, 1], averaged by 2 x 2: 100 values."""
    values = images.astype(np.float64) / 127.5 - 1
    return values.reshape(len(images), 10, 2, 10, 2).mean((2, 4)).reshape(len(images), 100)


def distances(a, b):
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(2))


def radii(table, k):
    return np.sort(distances(table, table), axis=1)[:, k]  # Column 0 is the point itself.


def reference_metrics(samples, real, train, held_out):
    """All metrics by their definitions, by brute force."""
    difference = samples.mean(0) - real.mean(0)
    a, b = np.cov(samples.T), np.cov(real.T)
    root = scipy.linalg.sqrtm(a @ b)
    metrics = {"fid": difference @ difference + np.trace(a + b - 2 * root.real)}

    def kernel(x, y):
        return (x @ y.T / x.shape[1] + 1) ** 3

    def without_diagonal(matrix):
        return (matrix.sum() - np.trace(matrix)) / (len(matrix) * (len(matrix) - 1))

    metrics["kid"] = (without_diagonal(kernel(samples, samples)) +
                      without_diagonal(kernel(real, real)) - 2 * kernel(samples, real).mean())
    between = distances(samples, real)
    metrics["precision"] = (between <= radii(real, 3)[None]).any(1).mean()
    metrics["recall"] = (between <= radii(samples, 3)[:, None]).any(0).mean()
    metrics["density"] = (between <= radii(real, 5)[None]).sum(1).mean() / 5
    metrics["coverage"] = (between.min(0) <= radii(real, 5)).mean()
    threshold = np.percentile(distances(held_out, train).min(1), 1)
    metrics["nearest_neighbour_share"] = (distances(samples, train).min(1) < threshold).mean()
    return metrics


def evaluate(output, *arguments, **keywords):
    run(["evaluate", "--output", output, *arguments], **keywords)
    return json.loads((output / "metrics.json").read_text())


def assert_close(metrics, expected, suffix):
    assert set(metrics) == {name + suffix for name in expected}
    for name, value in expected.items():
        result = metrics[name + suffix]
        assert result["value"] == pytest.approx(value, rel=1e-4, abs=1e-5), name
        assert result["low"] <= result["value"] <= result["high"], name


@pytest.mark.parametrize("split", ["validation", "train"])
def test_metrics_by_pixels_are_those_of_numpy(world, tmp_path, split):
    results = evaluate(tmp_path / "out", "--samples", world.folder, "--data", world.data, "--split",
                       split)
    assert results["features"]["kind"] == "pixels" and results["features"]["dimension"] == 100
    train, held_out = pixels(world.train), pixels(world.held_out)
    real = train if split == "train" else held_out
    expected = reference_metrics(pixels(world.sample_images), real, train, held_out)
    assert list(expected) == PIXEL_NAMES
    assert_close(results["metrics"], expected, "_pixels")
    assert results["samples"]["count"] == SAMPLES and results["data"]["images"] == len(real)
    # The ten copies are the closest pairs, and seen.
    closest = results["nearest_training_image"]["closest"][:10]
    assert sorted((pair["sample"], pair["training_image"]) for pair in closest) == [
        (SAMPLES - 10 + i, 40 + i) for i in range(10)]
    share = results["metrics"]["nearest_neighbour_share_pixels"]
    assert share["value"] >= 10 / SAMPLES and share["low"] > share["floor"] == 0.01


def test_metrics_by_a_network_are_those_of_numpy(world, tmp_path):
    results = evaluate(tmp_path / "out", "--samples", world.folder, "--data", world.data,
                       "--features", world.network_file)
    samples, logits = world.network_features(world.sample_images)
    train, held_out = (world.network_features(images)[0] for images in (world.train, world.held_out))
    expected = reference_metrics(samples, held_out, train, held_out)
    p = np.exp(logits - np.logaddexp.reduce(logits, axis=1, keepdims=True))
    expected["inception_score"] = np.exp((p * np.log(p / p.mean(0))).sum(1).mean())
    assert_close(results["metrics"], expected, "")
    assert results["features"]["file"] == str(world.network_file)
    assert results["features"]["checksum"].startswith("xxh3-128:")
    assert (results["features"]["dimension"], results["features"]["classes"]) == (64, 4)


def test_floor_is_the_same_of_real_images(world, tmp_path):
    """With all of the other split in the samples' place, whose order does not matter."""
    results = evaluate(tmp_path / "out", "--samples", world.folder, "--data", world.data, "--split",
                       "train")
    assert results["floor"]["images"] == HELD_OUT
    train, held_out = pixels(world.train), pixels(world.held_out)
    expected = reference_metrics(held_out, train, train, held_out)
    for name in PIXEL_NAMES[:-1]:
        assert results["metrics"][name + "_pixels"]["floor"] == pytest.approx(
            expected[name], rel=1e-4, abs=1e-5), name


def test_floor_without_held_out_images_is_of_halves(tmp_path):
    make_idx_folder(tmp_path / "source", count=100)
    for file in (tmp_path / "source").glob("t10k*"):
        file.unlink()
    run(["prepare", "--input", tmp_path / "source", "--output", tmp_path / "data"])
    (tmp_path / "samples").mkdir()
    save_file({"samples": np.random.default_rng(0).uniform(-1, 1, (60, 1, 8, 8)).astype(np.float32)},
              tmp_path / "samples" / "samples.safetensors")
    arguments = ["--samples", tmp_path / "samples", "--data", tmp_path / "data"]
    results = evaluate(tmp_path / "out", *arguments, "--split", "train")
    assert results["floor"]["images"] == 50 and "50 other" in results["floor"]["what"]
    assert results["metrics"]["fid_pixels"]["floor"] > 0
    assert "nearest_neighbour_share_pixels" not in results["metrics"]
    process = run(["evaluate", *arguments, "--output", tmp_path / "no"], check=False)
    assert process.returncode == 4 and "--split train" in process.stderr


def test_any_number_of_ranks_gives_the_same_files(dataset, config, world, tmp_path):
    run(train_arguments(config, dataset, tmp_path / "run"))
    network = tmp_path / "net.pt"
    torch.manual_seed(1)
    torch.jit.script(FeatureNet(3).eval()).save(network)
    for features in ([], ["--features", network]):
        files = []
        for ranks in (0, 2, 4):
            output = tmp_path / f"ranks{ranks}{len(features)}"
            process = run(["evaluate", "--model", tmp_path / "run", "--data", dataset, "--output",
                           output, "--count", 70, "--steps", 3, "--split", "train", *features],
                          ranks=ranks)
            files.append([(output / name).read_bytes() for name in ("metrics.json", "report.html")])
        assert files[0] == files[1] == files[2]
    results = json.loads(files[0][0])
    assert results["samples"] == {
        "model": str(tmp_path / "run" / "checkpoints" / "images-000000000640"), "weights": "ema",
        "images_seen": 640, "sampler": "ddim", "steps": 3, "count": 70}
    assert "inception_score" in process.stdout and "report.html" in process.stdout
    # The same samples from a folder: the same numbers.
    run(["sample", "--model", tmp_path / "run", "--output", tmp_path / "drawn", "--count", 70,
         "--steps", 3])
    drawn = evaluate(tmp_path / "drawn_out", "--samples", tmp_path / "drawn", "--data", dataset,
                     "--split", "train", *features)
    assert drawn["metrics"] == results["metrics"]


def test_the_seed_draws_the_intervals_and_count_cuts_the_samples(world, tmp_path):
    arguments = ["--samples", world.folder, "--data", world.data, "--metrics", "precision_recall"]
    first = evaluate(tmp_path / "a", *arguments)["metrics"]
    second = evaluate(tmp_path / "b", *arguments, "--seed", 1)["metrics"]
    assert set(first) == {"precision_pixels", "recall_pixels"}
    assert first["precision_pixels"]["value"] == second["precision_pixels"]["value"]
    assert first["precision_pixels"]["low"] != second["precision_pixels"]["low"]
    few = evaluate(tmp_path / "a", *arguments, "--count", 20)  # In place of the earlier one.
    assert few["samples"]["count"] == 20
    expected = reference_metrics(pixels(world.sample_images[:20]), *map(pixels, (
        world.held_out, world.train, world.held_out)))
    assert few["metrics"]["precision_pixels"]["value"] == pytest.approx(expected["precision"])


def test_report_is_one_valid_page_with_pictures(world, tmp_path):
    evaluate(tmp_path / "out", "--samples", world.folder, "--data", world.data)
    text = (tmp_path / "out" / "report.html").read_text()
    document = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)
    pictures = [element for element in document.iter("img")]
    assert len(pictures) == 2 + 2 * 12  # Two grids, twelve pairs.
    assert all(picture.get("src").startswith("data:image/png;base64,") for picture in pictures)
    words = " ".join(document.itertext())
    assert "fid_pixels" in words and "not by a network" in words and "held-out images" in words
    assert any(True for _ in document.iter("svg")) or "<svg" in text
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["metrics.json",
                                                                         "report.html"]


class Wrong(torch.nn.Module):
    def forward(self, images):
        return images


class Failing(torch.nn.Module):
    def forward(self, images):
        return images.reshape(images.shape[0], 7)


def bad_inputs(world, folder):
    """Name -> (arguments, exit code, words of the message)."""
    samples, data = ["--samples", world.folder], ["--data", world.data]
    for name, module in (("wrong", Wrong()), ("failing", Failing())):
        torch.jit.script(module).save(folder / f"{name}.pt")
    (folder / "damaged.pt").write_bytes(world.network_file.read_bytes()[:5000])
    torch.save(world.network.state_dict(), folder / "weights.pt")
    for name, array in (("small", np.zeros((9, 1, 8, 8), np.float32)),
                        ("nan", np.full((9, 1, SIDE, SIDE), np.nan, np.float32))):
        (folder / name).mkdir()
        save_file({"samples": array}, folder / name / "samples.safetensors")
    (folder / "other").mkdir()
    save_file({"images": world.samples}, folder / "other" / "samples.safetensors")
    (folder / "full").mkdir()
    (folder / "full" / "thesis.tex").write_text("all of it")
    return {
        "unknown metric": ([*samples, *data, "--metrics", "fid,lpips"], 2,
                           ["lpips", "kid", "nearest_neighbour"]),
        "neither model nor samples": (data, 2, ["--model"]),
        "both": ([*samples, "--model", world.folder, *data], 2, ["--samples"]),
        "steps of samples": ([*samples, *data, "--steps", 3], 2, ["--model"]),
        "samples of another size": (["--samples", folder / "small", *data], 4,
                                    ["1 x 8 x 8", "1 x 20 x 20"]),
        "samples that are not finite": (["--samples", folder / "nan", *data], 4,
                                        ["sample 0", "not finite"]),
        "no samples in the file": (["--samples", folder / "other", *data], 4, ["\"samples\""]),
        "no samples at all": (["--samples", world.data, *data], 4, ["langevin sample"]),
        "no model": (["--model", folder / "nothing", *data], 4, ["nothing"]),
        "no data": ([*samples, "--data", folder / "nothing"], 4, ["nothing"]),
        "more than there are": ([*samples, *data, "--count", 500], 3, ["150", "--count"]),
        "too few": ([*samples, *data, "--count", 3, "--metrics", "precision_recall"], 3,
                    ["precision_recall needs at least 4 samples"]),
        "one": ([*samples, *data, "--count", 1, "--metrics", "fid"], 3, ["at least 2 samples"]),
        "scores without logits": ([*samples, *data, "--metrics", "inception_score"], 3, ["logits"]),
        "no features file": ([*samples, *data, "--features", folder / "none.pt"], 4, ["none.pt"]),
        "damaged features file": ([*samples, *data, "--features", folder / "damaged.pt"], 4,
                                  ["damaged.pt", "torch.jit.script"]),
        "weights without a network": ([*samples, *data, "--features", folder / "weights.pt"], 4,
                                      ["weights.pt", "torch.jit.script"]),
        "features of another shape": ([*samples, *data, "--features", folder / "wrong.pt"], 4,
                                      ["wrong.pt", "[64, 1, 20, 20]", "(N, D)"]),
        "a module that throws": ([*samples, *data, "--features", folder / "failing.pt"], 4,
                                 ["failing.pt", "channels and size"]),
        "an output with something else": ([*samples, *data, "--output", folder / "full"], 3,
                                          ["something else", "--output"]),
    }


def test_bad_input_is_told_in_one_line_and_writes_nothing(world, tmp_path):
    for name, (arguments, code, words) in bad_inputs(world, tmp_path).items():
        output = [] if "--output" in arguments else ["--output", tmp_path / "out"]
        for ranks in (0, 2) if name in ("damaged features file", "too few") else (0,):
            process = run(["evaluate", *arguments, *output], check=False, ranks=ranks)
            assert process.returncode == code, (name, process.returncode, process.stderr)
            for word in words:
                assert word in process.stderr, (name, word, process.stderr)
            told = [line for line in process.stderr.splitlines() if line.startswith("langevin") and "error: " in line]
            assert code == 2 or len(told) == 1, (name, process.stderr)
        assert not (tmp_path / "out").exists(), name
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["thesis.tex"]


def test_a_model_of_another_shape_is_refused(dataset, config, world, tmp_path):
    run(train_arguments(config, dataset, tmp_path / "run", "--set", "train.total_images=64"))
    process = run(["evaluate", "--model", tmp_path / "run", "--data", world.data, "--output",
                   tmp_path / "out"], check=False)
    assert process.returncode == 4 and "1 x 8 x 8" in process.stderr
    assert "1 x 20 x 20" in process.stderr and not (tmp_path / "out").exists()


def test_class_conditional_models_need_the_data_sets_classes(world, tmp_path):
    torch.manual_seed(0)
    for classes in (3, 4):
        unet = UNet2DModel(sample_size=SIDE, in_channels=1, out_channels=1, norm_num_groups=4,
                           block_out_channels=(8, 8), layers_per_block=1, num_class_embeds=classes,
                           down_block_types=("DownBlock2D", "DownBlock2D"),
                           up_block_types=("UpBlock2D", "UpBlock2D"))
        DDIMPipeline(unet, DDIMScheduler()).save_pretrained(tmp_path / f"classes{classes}")
    arguments = ["--data", world.data, "--steps", 1, "--count", 40, "--metrics", "kid"]
    results = evaluate(tmp_path / "out", "--model", tmp_path / "classes4", *arguments)
    assert results["samples"]["images_seen"] is None
    process = run(["evaluate", "--model", tmp_path / "classes3", "--output", tmp_path / "no",
                   *arguments], check=False)
    assert process.returncode == 4 and "3 classes" in process.stderr, process.stderr


def test_feature_net_learns_and_is_taken(world, tmp_path):
    """The script that docs/evaluating.md names, on few images."""
    network = tmp_path / "features.pt"
    process = subprocess.run(
        [sys.executable, str(pathlib.Path(__file__).parent / "feature_net.py"),
         "--output", str(network), "--count", "2000", "--epochs", "2"],
        capture_output=True, text=True, check=True, timeout=240)
    assert float(process.stdout.split(": ")[1].split("%")[0]) > 60, process.stdout
    results = evaluate(tmp_path / "out", "--samples", world.folder, "--data", world.data,
                       "--features", network, "--metrics", "fid,inception_score")
    assert results["features"]["classes"] == 10
    assert 1 <= results["metrics"]["inception_score"]["value"] <= 10
