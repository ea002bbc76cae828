#!/usr/bin/env bash
# Say of each process of the cluster whether it runs.
source "$(dirname "$0")/config.sh"

for name in "${STARTED_PROCESSES[@]}"; do
    if alive "$name"; then state="running, pid $(<"$PIDS/$name")"; else state=stopped; fi
    printf '%-26s %s\n' "$name" "$state"
done
