#!/usr/bin/env bash
# restart.sh NAME: kill one process of the cluster and start it again as it was; the containers stay.
source "$(dirname "$0")/config.sh"

name=$1
alive "$name" || fail "$name does not run: 'make cluster' starts all"
pid=$(<"$PIDS/$name")
mapfile -d '' -t command <"/proc/$pid/cmdline"
kill -KILL "$pid"
gone() { ! kill -0 "$pid"; }
wait_until 30 "the end of $name" "" gone
setsid "${command[@]}" >>"$LOGS/$name.log" 2>&1 </dev/null &
echo $! >"$PIDS/$name"
