"""What the Python tests share: the programs under test, tiny data sets and configs.

ctest gives the programs' paths in the environment. Nothing here skips: a test that cannot run fails.
"""
import gzip
import os
import pathlib
import signal
import struct
import subprocess
import time

import numpy as np
import pytest

LANGEVIN = os.environ.get("LANGEVIN", "build/langevin")
ENVIRONMENT = {**os.environ, "OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
               "OMP_NUM_THREADS": "1"}
MPIRUN = ["mpirun", "--oversubscribe", "--bind-to", "none", "--mca", "mpi_yield_when_idle", "1"]

TINY_CONFIG = """
seed: 5
model { unet {
  in_channels: 1 out_channels: 1
  down_block_types: ["DownBlock2D", "AttnDownBlock2D"]
  up_block_types: ["AttnUpBlock2D", "UpBlock2D"]
  block_out_channels: [16, 32] layers_per_block: 1 norm_num_groups: 8 attention_head_dim: 16
} }
diffusion { ddpm {} }
optimizer { learning_rate: 1e-3 warmup_images: 64 }
ema { half_life_images: 200 }
train { total_images: 640 global_batch: 16 microbatch: 4 }
data { augment { horizontal_flip: true } }
checkpoint { every_images: 64 every_seconds: 0 }
monitor { log_every_images: 48 sample_every_images: 320 sample_count: 4 sample_steps: 3 }
"""


def run(arguments, ranks=0, check=True, environment=None, timeout=240):
    """Runs `langevin arguments` (under mpirun if ranks > 0) and returns the finished process."""
    command = [LANGEVIN, *map(str, arguments)]
    if ranks:
        command = [*MPIRUN, "-n", str(ranks), *command]
    process = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                             env=environment or ENVIRONMENT)
    if check and process.returncode != 0:
        raise AssertionError(f"{command} gave {process.returncode}:\n{process.stderr}")
    return process


def write_idx(path, array):
    header = struct.pack(">BBBB", 0, 0, 8, array.ndim) + struct.pack(f">{array.ndim}I", *array.shape)
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "wb") as f:
        f.write(header + array.astype(np.uint8).tobytes())


def make_idx_folder(folder, count=100, side=8, classes=3, seed=0):
    """A folder in MNIST's layout with random images; returns (images, labels)."""
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 256, (count, side, side), dtype=np.uint8)
    labels = np.arange(count, dtype=np.uint8) % classes
    write_idx(folder / "train-images-idx3-ubyte.gz", images)
    write_idx(folder / "train-labels-idx1-ubyte.gz", labels)
    write_idx(folder / "t10k-images-idx3-ubyte", images[:10])
    write_idx(folder / "t10k-labels-idx1-ubyte", labels[:10])
    return images, labels


@pytest.fixture(scope="session")
def dataset(tmp_path_factory):
    """A prepared data set of 100 images of 8 x 8."""
    folder = tmp_path_factory.mktemp("data")
    make_idx_folder(folder / "source")
    run(["prepare", "--input", folder / "source", "--output", folder / "prepared"])
    return folder / "prepared"


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "tiny.textproto"
    path.write_text(TINY_CONFIG)
    return path


def train_arguments(config, data, output, *more):
    return ["train", "--config", config, "--data", data, "--output", output, *more]


def digest(path):
    line = run(["inspect", path, "--digest"]).stdout.strip()
    assert line.startswith("digest "), line
    return line


def newest_images_seen(run_folder):
    """images_seen of the newest checkpoint on disk, -1 if there is none."""
    folders = pathlib.Path(run_folder).glob("checkpoints/images-*")
    return max((int(f.name[7:]) for f in folders if f.name[7:].isdigit()), default=-1)


def kill_group(process, number=signal.SIGKILL):
    """Sends a signal to a process started with start_new_session and all its children."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        pass
    process.wait(timeout=60)


def wait_until(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.02)
