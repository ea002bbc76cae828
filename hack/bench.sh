#!/usr/bin/env bash
# bench.sh [--quick]: every benchmark in turn. Whole: about two hours, writes docs/benchmarks.md and its plots.
# --quick: smaller sizes, under five minutes, no cluster, no builds; prints the tables only. Each can be run alone: benchmarks/*.py --help.
# BEFORE=CHECKOUT: the older code that competes, where a benchmark knows how; otherwise that of before anything was measured.
source "$(dirname "$0")/lib.sh"
cd "$REPO"
quick=${1:-}
UNMEASURED=7320658 # as docs/benchmarks.md says

# The older code, as a folder; empty where git does not have it.
before() {
    local folder=$REPO/.build/before
    [[ -d $folder ]] || git archive "$UNMEASURED" 2>/dev/null | { mkdir -p "$folder" && tar -x -C "$folder"; } || rm -r "$folder"
    [[ ! -d $folder ]] || echo "$folder"
}

# bench ENVIRONMENT NAME FLAGS...: one benchmark, with the flags only where it is not quick.
bench() {
    local python=.venvs/$1/bin/python script=benchmarks/$2.py
    shift 2
    if [[ $quick == --quick ]]; then set -- --quick; else set -- --publish "$@" ${BEFORE:+--before "$BEFORE"}; fi
    timed "$script $*" "$python" "$script" "$@" || failed+=("$script")
}

install_packages postgresql
hack/venv.sh drift health sandbox train airflow
failed=()
[[ $quick == --quick ]] || BEFORE=${BEFORE-$(before)}
say "other work on this machine falsifies what follows; load now: $(cut -d' ' -f1-3 /proc/loadavg)"
bench drift command_start
bench drift dag_parse
bench drift annotations --largest 10000000
bench drift drift --largest 10000000
bench train loading
bench train pictures --largest 20000
bench train train_throughput
bench train inference
if [[ $quick == --quick ]]; then
    say "left out, for they are not quick: growth, image_sizes, and on a cluster stage_overhead and run_history"
else
    bench drift growth
    PYTHONPATH=hack bench drift image_sizes
    if kubectl get --raw /readyz >/dev/null 2>&1; then
        PYTHONPATH=hack bench dev stage_overhead
        PYTHONPATH=hack bench drift run_history
    else
        say "no cluster answers, so stage_overhead and run_history are left out: make up"
    fi
fi
((!${#failed[@]})) || fail "failed: ${failed[*]}"
