#!/usr/bin/env bash
# Cluster, images, sandbox and Airflow, ready to use. What takes minutes the first time, the images and
# Kubernetes' own binaries, is built side by side.
source "$(dirname "$0")/lib.sh"
cd "$REPO"

hack/cluster.sh prepare-build
setsid python3 hack/images.py --early &
builder=$!
trap 'kill -- "-$builder" 2>/dev/null || true' EXIT
hack/cluster.sh up
wait "$builder"
timed "images" python3 hack/images.py
hack/deploy.sh
