#!/usr/bin/env bash
# Cluster, images, sandbox and Airflow, ready to use. What takes minutes the first time, the images and the cluster, is
# built side by side; when one of the two fails, the other does not go on for nothing.
source "$(dirname "$0")/lib.sh"
source "$REPO/hack/chart.sh"
cd "$REPO"

# What would stop this after minutes of work is checked first.
WAKEE_CLUSTER=$(cluster_kind)
export WAKEE_CLUSTER
[[ $(airflow_install) != chart ]] || find_chart
PYTHONPATH=hack .venvs/dev/bin/python -m ops machine --cluster "$WAKEE_CLUSTER"
hack/cluster.sh prepare-build

set -m # each has a process group of its own, which ends as a whole
python3 hack/images.py --early &
builder=$!
hack/cluster.sh up &
cluster=$!
trap 'kill -- "-$builder" "-$cluster" 2>/dev/null || true' EXIT
wait -n
wait -n
timed "images" python3 hack/images.py
hack/deploy.sh
