#!/bin/bash
# Starts a real Slurm with two nodes of one core (n1, n2) on this host, its files in FOLDER:
#
#   tests/slurm/start_local_slurm.sh FOLDER     prints the line to source: export SLURM_CONF=...
#   tests/slurm/stop_local_slurm.sh FOLDER      ends its daemons and what runs in its jobs
#
# Needs root and Debian's slurm-wlm, slurm-wlm-basic-plugins and munge. The tests run it inside
# tests/testing/isolated.sh, and so should you: then ports and names meet nobody else's.
set -euo pipefail
folder=$(realpath -m "${1:?usage: start_local_slurm.sh FOLDER}")
mkdir -p "$folder"/{state,log,munge,spool-n1,spool-n2,tmp-n1,tmp-n2}
host=$(hostname)

# Two slurmd on one host need their own spool, PID file, port and TmpFS (%n), or the PMIx folders
# collide. The times are short, so that a lost node is seen and a job requeued within seconds:
# cred_expire (5 is the least) is also how long a requeued job waits before it starts again.
cat > "$folder/slurm.conf" <<C
ClusterName=local
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$folder/munge/socket,cred_expire=5
StateSaveLocation=$folder/state
SlurmdSpoolDir=$folder/spool-%n
SlurmctldPidFile=$folder/slurmctld.pid
SlurmdPidFile=$folder/slurmd-%n.pid
SlurmctldLogFile=$folder/log/slurmctld.log
SlurmdLogFile=$folder/log/slurmd-%n.log
TmpFS=$folder/tmp-%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
JobRequeue=1
SlurmdTimeout=6
KillWait=5
SchedulerParameters=sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
NodeName=n[1-2] NodeHostname=$host NodeAddr=127.0.0.1 Port=[17001-17002] CPUs=1
PartitionName=debug Nodes=ALL Default=YES MaxTime=INFINITE State=UP
C
export SLURM_CONF=$folder/slurm.conf

head -c 1024 /dev/urandom > "$folder/munge/key"
chmod 600 "$folder/munge/key"
chmod 755 "$folder" "$folder/munge"
munged --force --origin=127.0.0.1 --socket="$folder/munge/socket" --key-file="$folder/munge/key" \
  --pid-file="$folder/munge/munged.pid" --seed-file="$folder/munge/seed" \
  --log-file="$folder/log/munged.log"
slurmctld -f "$SLURM_CONF"
for node in n1 n2; do slurmd -f "$SLURM_CONF" -N "$node"; done
for _ in $(seq 60); do
  if [ "$(sinfo --noheader --format=%T 2> /dev/null | sort -u)" = idle ]; then
    echo "export SLURM_CONF=$SLURM_CONF"
    exit 0
  fi
  sleep 0.5
done
echo "start_local_slurm.sh: the nodes do not come up; see $folder/log" >&2
sinfo >&2
exit 1
