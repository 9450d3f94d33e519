#!/usr/bin/env bash
# Starts a SLURM cluster of one node on this machine: munged, slurmctld, slurmd. Installs nothing
# (Debian: apt-get install slurm-wlm munge), needs root, and may be called again at any time.
set -euo pipefail

CONFIG=/etc/slurm/slurm.conf
MARK="# Written by tests/slurm/start_cluster.sh"
NODE=$(hostname -s)
# nproc heeds OMP_NUM_THREADS, which says nothing of the machine.
CORES=$(env --unset=OMP_NUM_THREADS nproc)
MEGABYTES=$(awk '/MemTotal/ {print int($2 / 1024 * 0.9)}' /proc/meminfo)

for program in munged slurmctld slurmd sbatch squeue; do
  command -v "$program" >/dev/null || { echo "$program is not installed: apt-get install slurm-wlm munge" >&2; exit 2; }
done
if [[ -e $CONFIG ]] && ! grep -qF "$MARK" "$CONFIG"; then
  echo "$CONFIG belongs to another cluster: this script leaves it alone" >&2
  exit 2
fi

# No cgroups, no accounting: what a container offers. A node that is silent for 20 s counts as dead.
cat >"$CONFIG" <<END
$MARK
ClusterName=gengap
SlurmctldHost=$NODE(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=/var/spool/slurmctld
SlurmdSpoolDir=/var/spool/slurmd
SlurmctldPidFile=/run/slurmctld.pid
SlurmdPidFile=/run/slurmd.pid
SlurmctldLogFile=/var/log/slurmctld.log
SlurmdLogFile=/var/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
ReturnToService=2
SlurmdTimeout=20
MinJobAge=600
SchedulerParameters=sched_interval=5,batch_sched_delay=1
NodeName=$NODE NodeAddr=127.0.0.1 CPUs=$CORES RealMemory=$MEGABYTES State=UNKNOWN
PartitionName=main Nodes=$NODE Default=YES MaxTime=INFINITE State=UP
END

# A killed daemon that nobody has reaped (Z) is not alive.
alive() { [[ -s $1 && $(ps -o stat= -p "$(<"$1")") == [!Z]* ]]; }

# The key was made when munge was installed; only its owner may read it.
install -d -o munge -g munge -m 755 /run/munge
mkdir -p /var/spool/slurmctld /var/spool/slurmd
alive /run/munge/munged.pid || runuser -u munge -- munged
alive /run/slurmctld.pid || slurmctld
alive /run/slurmd.pid || slurmd

for _ in $(seq 600); do
  case "$(sinfo --noheader --format=%T 2>/dev/null)" in
    idle | mixed | allocated) exit 0 ;;
    # A node that died or was asked for more than it had waits to be called back.
    down* | drain*) scontrol update "NodeName=$NODE" State=RESUME 2>/dev/null || true ;;
  esac
  sleep 0.5
done
echo "the node did not come up in five minutes; see /var/log/slurmctld.log and /var/log/slurmd.log" >&2
exit 1
