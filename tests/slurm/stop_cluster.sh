#!/usr/bin/env bash
# Stops what start_cluster.sh started, and removes the configuration that it wrote.
set -euo pipefail

CONFIG=/etc/slurm/slurm.conf
grep -qsF "# Written by tests/slurm/start_cluster.sh" "$CONFIG" || { echo "no cluster of start_cluster.sh here" >&2; exit 0; }

scancel --user="$(id -un)" 2>/dev/null || true
for pidfile in /run/slurmd.pid /run/slurmctld.pid /run/munge/munged.pid; do
  [[ -s $pidfile ]] || continue
  daemon=$(<"$pidfile")
  kill "$daemon" 2>/dev/null || continue
  # What a daemon writes when it ends would stand in the way of the removal below.
  for _ in $(seq 100); do
    [[ $(ps -o stat= -p "$daemon") == [!Z]* ]] || break
    sleep 0.1
  done
done
rm -rf "$CONFIG" /var/spool/slurmctld /var/spool/slurmd
