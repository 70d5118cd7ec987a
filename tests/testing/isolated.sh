#!/bin/bash
# Runs a command on a machine of its own, as far as the kernel can make one without a copy:
#
#   tests/testing/isolated.sh COMMAND ARGUMENT...
#
# with its own processes, network (no way out), host name, shared memory, /run and temporary
# folder. For tests that start daemons and pull cables: whatever they start is gone, and whatever
# they set is undone, when the command ends or is killed, because the kernel ends a process
# namespace with its first process. Needs root.
set -euo pipefail
[ "$(id -u)" = 0 ] || { echo "isolated.sh: needs root, to make namespaces" >&2; exit 1; }
export TMPDIR
TMPDIR=$(mktemp -d /tmp/lgvn.XXXX)  # Short: names of sockets in it must fit in 107 characters.
# The inner bash is the first process, ends with unshare (--kill-child) and buries the orphans.
exec unshare --pid --fork --kill-child --mount-proc --net --uts --ipc --propagation private bash -c '
  ip link set lo up
  # With loopback alone getaddrinfo (AI_ADDRCONFIG) refuses every name.
  ip link add lan type veth peer name unused
  ip address add 10.77.0.1/24 dev lan
  ip link set lan up
  ip link set unused up
  mount -t tmpfs none /run
  mount -t tmpfs none /dev/shm
  hostname langevin-test
  # Names are in the file or nowhere: no resolver can be reached, and waiting for one takes seconds.
  printf "127.0.0.1 localhost langevin-test\n" > /run/hosts
  mount --bind /run/hosts /etc/hosts
  : > /run/resolv.conf
  mount --bind /run/resolv.conf "$(realpath /etc/resolv.conf)"
  export LANGEVIN_ISOLATED=1
  "$@"
  code=$?
  rm -rf "$TMPDIR"
  exit $code
' isolated "$@"
