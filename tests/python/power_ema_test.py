"""Power-function averages of the weights, and those made of snapshots, against sums written out in NumPy."""
import json
import shutil

import numpy as np
import pytest
from conftest import digest, run, train_arguments
from safetensors.numpy import load_file

BATCH, STEPS = 16, 40
AVERAGES = ["--set", "ema.power_std=[0.05,0.10]", "--set", "ema.snapshot_every_images=32"]


def gamma_of(std):
    roots = np.roots([1, 7, 16 - std**-2, 12 - std**-2])
    return max(root.real for root in roots)


def tensors(folder, prefix):
    result = {}
    for shard in sorted(folder.glob("*.safetensors")):
        result.update({name[len(prefix):]: tensor for name, tensor in load_file(shard).items()
                       if name.startswith(prefix)})
    assert result, (folder, prefix)
    return result


def train(config, dataset, output, *more, **keywords):
    run(train_arguments(config, dataset, output, *AVERAGES, *more), **keywords)
    return output


@pytest.fixture(scope="module")
def every_step(dataset, tmp_path_factory):
    """A run with a checkpoint of every step, and so all its raw weights."""
    from conftest import TINY_CONFIG
    folder = tmp_path_factory.mktemp("every_step")
    (folder / "c.textproto").write_text(TINY_CONFIG)
    return train(folder / "c.textproto", dataset, folder / "run", "--set",
                 f"checkpoint.every_images={BATCH}", "--set", "checkpoint.keep=100")


def checkpoint(run_folder, images_seen):
    return run_folder / "checkpoints" / f"images-{images_seen:012}"


def written_out(run_folder, std, images_seen=BATCH * STEPS):
    """The average of that width: the weights after step j count as s^gamma from j - 1 to j steps."""
    steps = images_seen // BATCH
    edges = (np.arange(steps + 1) / steps) ** (gamma_of(std) + 1)
    average = {}
    for j, share in enumerate(np.diff(edges)):
        for name, tensor in tensors(checkpoint(run_folder, BATCH * (j + 1)), "model.").items():
            average[name] = average.get(name, 0) + share * tensor.astype(np.float64)
    return average


def distance(a, b):
    assert a.keys() == b.keys()
    return np.sqrt(sum(np.sum((a[name].astype(np.float64) - b[name]) ** 2) for name in a))


def exported(run_folder, output, *more):
    run(["export", "--run", run_folder, "--output", output, *more])
    facts = json.loads((output / "langevin.json").read_text())
    return load_file(output / "unet" / "diffusion_pytorch_model.safetensors"), facts


@pytest.mark.parametrize("std", [0.05, 0.10])
def test_tracked_averages_are_the_integrals(every_step, std):
    expected = written_out(every_step, std)
    tracked = tensors(checkpoint(every_step, BATCH * STEPS), f"ema_std_{std:g}.")
    assert distance(tracked, expected) < 1e-6 * distance(expected, {k: 0 for k in expected})
    snapshot = load_file(every_step / "ema_snapshots" / f"images-{BATCH * STEPS:012}.safetensors")
    for name, tensor in tracked.items():
        assert np.array_equal(snapshot[f"ema_std_{std:g}.{name}"], tensor)


@pytest.mark.parametrize("std, images_seen", [(0.03, 640), (0.07, 640), (0.15, 640), (0.08, 320)])
def test_made_averages_are_the_integrals(every_step, tmp_path, std, images_seen):
    expected = written_out(every_step, std, images_seen)
    made, facts = exported(every_step, tmp_path / "made", "--ema_std", std, "--ema_at", images_seen)
    assert facts["weights"] == f"ema_std {std:g}" and facts["images_seen"] == str(images_seen)
    # In units of how far the two tracked averages are from each other.
    pair = [tensors(checkpoint(every_step, images_seen), f"ema_std_{s}.") for s in ("0.05", "0.1")]
    assert distance(made, expected) < 0.03 * distance(*pair)
    assert 0 < float(facts["ema_profile_error"]) < 0.05
    assert (tmp_path / "made" / "parity.safetensors").exists()


def test_the_first_is_what_is_exported_and_sampled(every_step, tmp_path):
    weights, facts = exported(every_step, tmp_path / "e")
    assert facts["weights"] == "ema_std 0.05"
    tracked = tensors(checkpoint(every_step, BATCH * STEPS), "ema_std_0.05.")
    assert all(np.array_equal(weights[name], tensor) for name, tensor in tracked.items())
    for model, output in ((every_step, "a"), (tmp_path / "e", "b")):
        run(["sample", "--model", model, "--output", tmp_path / output, "--count", 1, "--steps", 2])
    assert ((tmp_path / "a" / "samples.safetensors").read_bytes()
            == (tmp_path / "b" / "samples.safetensors").read_bytes())


def test_averages_change_no_weight(every_step, dataset, config, tmp_path):
    run(train_arguments(config, dataset, tmp_path / "plain"))
    last = BATCH * STEPS
    plain = tensors(checkpoint(tmp_path / "plain", last), "model.")
    for name, tensor in tensors(checkpoint(every_step, last), "model.").items():
        assert np.array_equal(plain[name], tensor)


def snapshots(run_folder):
    return {path.name: path.read_bytes() for path in (run_folder / "ema_snapshots").iterdir()}


@pytest.mark.parametrize("ranks, zero_stage", [(1, 0), (2, 1), (4, 0), (4, 1)])
def test_ranks_slices_and_restarts_change_no_bit(every_step, dataset, config, tmp_path, ranks,
                                                 zero_stage):
    output = tmp_path / "run"
    stage = ["--set", f"distributed.zero_stage={zero_stage}"]
    # As if killed after the snapshot at 320, and while it wrote another.
    train(config, dataset, output, *stage, "--set", "train.total_images=320", ranks=ranks)
    shutil.rmtree(checkpoint(output, 320))
    (output / "ema_snapshots" / "images-000000000352.safetensors.tmp").write_bytes(b"torn")
    train(config, dataset, output, *stage, ranks=5 - ranks if ranks == 1 else 1)
    assert digest(output) == digest(every_step)
    assert snapshots(output) == snapshots(every_step)


def test_snapshots_that_the_run_comes_to_again_are_gone(dataset, config, tmp_path):
    output = train(config, dataset, tmp_path / "run", "--set", "train.total_images=144")
    assert "images-000000000144.safetensors" in snapshots(output)
    shutil.rmtree(checkpoint(output, 144))
    train(config, dataset, output, "--set", "train.total_images=192")
    assert list(sorted(snapshots(output))) == [f"images-{n:012}.safetensors" for n in
                                               (32, 64, 96, 128, 160, 192)]


def test_what_cannot_be_had_is_refused_with_the_range(every_step, dataset, config, tmp_path):
    def refused(code, *words, run_folder=every_step, more=("--ema_std", "0.07")):
        process = run(["export", "--run", run_folder, "--output", tmp_path / "no", *more], check=False)
        assert process.returncode == code, process.stderr
        assert all(word in process.stderr for word in words), process.stderr
        assert len(process.stderr.splitlines()) == (2 if code == 2 else 1)  # The second: --help.
        assert not (tmp_path / "no").exists()

    refused(3, "0.01", "from 0.0", "ema.snapshot_every_images", more=("--ema_std", "0.01"))
    refused(3, "no snapshot at images_seen 330", "next to it 320",
            more=("--ema_std", "0.07", "--ema_at", "330"))
    refused(2, "--ema_std", more=("--ema_std", "0.5"))
    refused(2, "--weights", more=("--ema_std", "0.07", "--weights", "raw"))
    run(train_arguments(config, dataset, tmp_path / "plain", "--set", "train.total_images=16"))
    refused(3, "ema.power_std", run_folder=tmp_path / "plain")

    damaged = tmp_path / "damaged"
    shutil.copytree(every_step, damaged)
    victim = damaged / "ema_snapshots" / "images-000000000320.safetensors"
    data = bytearray(victim.read_bytes())
    data[-1] ^= 1
    victim.write_bytes(data)
    refused(4, str(victim), "checksum", "remove it", run_folder=damaged)
    victim.unlink()
    assert exported(damaged, tmp_path / "without", "--ema_std", "0.07")[1]["weights"] == "ema_std 0.07"
