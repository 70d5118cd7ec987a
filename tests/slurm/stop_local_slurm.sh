#!/bin/bash
# Ends what start_local_slurm.sh started in FOLDER: jobs, daemons, munged.
set -u
folder=$(realpath -m "${1:?usage: stop_local_slurm.sh FOLDER}")
export SLURM_CONF=$folder/slurm.conf
scancel --user="$(id -un)" --state=PENDING 2> /dev/null
scancel --user="$(id -un)" --signal=KILL --full 2> /dev/null
sleep 1
for name in slurmd-n1 slurmd-n2 slurmctld munge/munged; do
  pid=$(cat "$folder/$name.pid" 2> /dev/null) && kill "$pid" 2> /dev/null
done
for _ in $(seq 50); do
  pgrep -f "slurm(ctld|d) -f $SLURM_CONF|munged .*$folder/munge" > /dev/null || exit 0
  sleep 0.1
done
echo "stop_local_slurm.sh: daemons are left:" >&2
pgrep -af "slurm(ctld|d) -f $SLURM_CONF|munged .*$folder/munge" >&2
exit 1
