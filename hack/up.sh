#!/usr/bin/env bash
# Cluster, images, sandbox and Airflow, ready to use. What takes minutes the first time, the images and
# Kubernetes' own binaries, is built side by side; when one of the two fails, the other does not go on for nothing.
source "$(dirname "$0")/lib.sh"
cd "$REPO"

hack/cluster.sh prepare-build
setsid python3 hack/images.py --early &
builder=$!
setsid hack/cluster.sh up &
cluster=$!
trap 'kill -- "-$builder" "-$cluster" 2>/dev/null || true' EXIT
wait -n
wait -n
timed "images" python3 hack/images.py
hack/deploy.sh
