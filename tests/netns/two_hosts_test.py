"""Training over TCP between two hosts, and what happens when their cable is pulled."""
import pathlib
import re
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "python"))
from conftest import (ENVIRONMENT, TINY_CONFIG, config, dataset, digest,  # noqa: E402,F401
                      newest_images_seen, run, train_arguments, wait_until)
from two_hosts import NETWORK, TwoHosts  # noqa: E402


@pytest.fixture(scope="module")
def hosts(tmp_path_factory):
    two_hosts = TwoHosts(tmp_path_factory.mktemp("hosts"))
    try:
        yield two_hosts
    finally:
        two_hosts.remove()


def ranks_left():
    return subprocess.run(["pgrep", "-x", "langevin"], stdout=subprocess.DEVNULL).returncode == 0


def test_two_hosts_give_the_bits_of_one(hosts, dataset, config, tmp_path):
    settings = ["--set", "train.total_images=320"]
    run(train_arguments(config, dataset, tmp_path / "one", *settings), ranks=2)
    process = hosts.run(train_arguments(config, dataset, tmp_path / "two", *settings))
    assert "2, 1 on this host" in process.stderr
    assert digest(tmp_path / "one") == digest(tmp_path / "two")


@pytest.mark.parametrize("phase", ["step", "sample"])
def test_a_pulled_cable_ends_all_ranks_in_time(hosts, dataset, config, tmp_path, phase):
    timeout = 4
    output = tmp_path / "run"
    if phase == "sample":
        config.write_text(TINY_CONFIG.replace(
            "sample_every_images: 320 sample_count: 4 sample_steps: 3",
            "sample_every_images: 16 sample_count: 32 sample_steps: 250"))
    command = hosts.command(
        train_arguments(config, dataset, output, "--set", "train.total_images=100000000",
                        "--set", f"distributed.timeout_seconds={timeout}"),
        mpirun_options=["--output-filename", tmp_path / "log"])
    process = subprocess.Popen(command, env=ENVIRONMENT, stderr=subprocess.PIPE, text=True,
                               stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: newest_images_seen(output) > 0)
        hosts.pull_the_cable()
        pulled = time.monotonic()
        wait_until(lambda: not ranks_left(), seconds=60)
        seconds = time.monotonic() - pulled
        # mpirun itself waits for its daemon on the other host, as long as TCP does.
        hosts.plug_the_cable_in()
        _, stderr = process.communicate(timeout=90)
    finally:
        process.kill()
        for name in ("langevin", "orted"):
            subprocess.run(["pkill", "-KILL", "-x", name])
        hosts.plug_the_cable_in()
    assert process.returncode == 5, stderr
    assert seconds < timeout + 10, "the ranks took too long to end"
    # Each names the other. What rank 1 says may not reach mpirun any more; its own host has it.
    for rank, other in ((0, 1), (1, 0)):
        [log] = (tmp_path / "log").glob(f"*/rank.{rank}/stderr")
        assert re.search(rf"rank {other} is missing: last heard at images_seen \d+, phase \w+",
                         log.read_text()), log.read_text()
    assert "rank 1 is missing" in stderr


def test_preflight_between_hosts(hosts, dataset, config, tmp_path):
    process = hosts.run(["preflight", "--data", dataset, "--config", config,
                         "--output", tmp_path / "run"])
    assert "WRONG" not in process.stdout
    assert "left: 1, right: 1" in process.stdout and "GB/s" in process.stdout


@pytest.mark.parametrize("what, found, advice", [
    ("data", "not there on right", "copy the data set there, or use a shared file system"),
    ("config", "another on right than on left", "on a file system that all nodes share"),
    ("output", "another folder on right than on left", "choose an --output on a shared"),
], ids=["data", "config", "output"])
def test_preflight_finds_what_one_host_cannot_see(hosts, dataset, config, tmp_path, what, found,
                                                  advice):
    (tmp_path / "runs").mkdir()
    other = tmp_path / "other.textproto"
    other.write_text(config.read_text().replace("seed: 5", "seed: 6"))
    hosts.setup("right", {"data": f"mount -t tmpfs none {dataset}",
                          "config": f"mount --bind {other} {config}",
                          "output": f"mount -t tmpfs none {tmp_path}/runs"}[what])
    try:
        process = hosts.run(["preflight", "--data", dataset, "--config", config,
                             "--output", tmp_path / "runs" / "1"], check=False)
    finally:
        hosts.setup("right", "")
    assert process.returncode == 3, process.stdout + process.stderr
    wrong = [row for row in process.stdout.splitlines() if row.endswith("WRONG")]
    assert len(wrong) == 1 and wrong[0].startswith(what) and found in wrong[0], process.stdout
    assert re.search(f"^{what}: .*{advice}", process.stdout, re.M), process.stdout
    assert not list(tmp_path.rglob(".langevin-preflight*")), "its file is left"


def test_preflight_finds_the_wrong_interface(hosts):
    # As Docker makes it on every host: one network, one address, and no way to any other host.
    for host in ("left", "right"):
        hosts.add_interface(host, "docker0", "172.17.0.1/16")
    try:
        # Open MPI then really hangs, before it could tell anybody.
        process = hosts.run(["preflight", "--timeout_seconds", "5"], check=False,
                            network=("--mca", "btl_tcp_if_exclude", "lo"))
        fine = hosts.run(["preflight"])
    finally:
        for host in ("left", "right"):
            hosts.remove_interface(host, "docker0")
    assert process.returncode == 5, process.stdout + process.stderr
    for host in ("left", "right"):
        assert f"{host}: Open MPI may use docker0: messages sent there" in process.stderr
    assert f"--mca btl_tcp_if_include {NETWORK}" in process.stderr
    assert "MPI did not start within 5 s" in process.stderr
    assert "WRONG" not in fine.stdout
