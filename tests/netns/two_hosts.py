"""Two hosts on one machine: network namespaces `left` and `right`, joined by a cable.

Each has an address, a host name and mounts of its own. Open MPI talks between them as between real
hosts: its daemon is started by a remote shell (here `ip netns exec`), and all goes over TCP.
"""
import os
import pathlib
import subprocess

from conftest import ENVIRONMENT, LANGEVIN

ADDRESSES = {"left": "10.99.0.1", "right": "10.99.0.2"}
NETWORK = "10.99.0.0/24"
ONE_NETWORK = ("--mca", "btl_tcp_if_include", NETWORK)

AGENT = """#!/bin/sh
# The remote shell for mpirun: AGENT ADDRESS COMMAND...
case $1 in {left}) host=left ;; {right}) host=right ;; *) exit 1 ;; esac
shift
exec ip netns exec $host unshare --uts sh -c "hostname $host; . {folder}/$host.setup; $*"
"""


class TwoHosts:
    def __init__(self, folder):
        assert os.environ.get("LANGEVIN_ISOLATED"), (
            "start this test with tests/testing/isolated.sh, which removes the hosts with it")
        self.folder = folder
        self.agent = folder / "agent"
        self.agent.write_text(AGENT.format(folder=folder, **ADDRESSES))
        self.agent.chmod(0o755)
        for host in ADDRESSES:
            self.setup(host, "")
            _ip("netns", "add", host)
        _ip("link", "add", "cable", "netns", "left", "type", "veth",
            "peer", "name", "cable", "netns", "right")
        for host, address in ADDRESSES.items():
            _ip("-n", host, "address", "add", f"{address}/24", "dev", "cable")
            for device in ("cable", "lo"):
                _ip("-n", host, "link", "set", device, "up")

    def remove(self):
        for host in ADDRESSES:
            _ip("netns", "delete", host)

    def setup(self, host, commands):
        """Shell commands that each process on `host` begins with, e.g. mounts only it sees."""
        (self.folder / f"{host}.setup").write_text(commands + "\n")

    def pull_the_cable(self):
        _ip("-n", "left", "link", "set", "cable", "down")

    def plug_the_cable_in(self):
        _ip("-n", "left", "link", "set", "cable", "up")

    def add_interface(self, host, name, address):
        _ip("-n", host, "link", "add", name, "type", "veth", "peer", "name", name + "-peer")
        _ip("-n", host, "address", "add", address, "dev", name)
        for device in (name, name + "-peer"):
            _ip("-n", host, "link", "set", device, "up")

    def remove_interface(self, host, name):
        _ip("-n", host, "link", "delete", name)

    def command(self, arguments, network=ONE_NETWORK, mpirun_options=()):
        """mpirun of `langevin arguments`, called on left, one rank on each host."""
        hosts = ",".join(f"{address}:1" for address in ADDRESSES.values())
        return [str(part) for part in (
            "ip", "netns", "exec", "left", "unshare", "--uts", "sh", "-c",
            f'hostname left; . {self.folder}/left.setup; exec "$@"', "sh",
            "mpirun", "--mca", "plm", "rsh", "--mca", "plm_rsh_agent", self.agent,
            "--mca", "pml", "ob1", "--mca", "btl", "tcp,self", *network,
            "--mca", "oob_tcp_if_include", NETWORK, "--bind-to", "none",
            "--mca", "mpi_yield_when_idle", "1", *mpirun_options, "-H", hosts,
            pathlib.Path(LANGEVIN).resolve(), *arguments)]

    def run(self, arguments, check=True, timeout=120, **more):
        command = self.command(arguments, **more)
        process = subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                                 env=ENVIRONMENT)
        if check and process.returncode != 0:
            raise AssertionError(f"{command} gave {process.returncode}:\n{process.stderr}")
        return process


def _ip(*arguments):
    subprocess.run(["ip", *arguments], check=True)
