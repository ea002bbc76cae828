#!/usr/bin/env bash
# Resolve the requirements of every image and of the development tools into hash-locked files.
source "$(dirname "$0")/lib.sh"
"$REPO/hack/tools.sh"
cd "$REPO"

compile() { uv pip compile -q --generate-hashes --python-version 3.11 --no-header --unsafe-package wakee-common "$@"; }

compile images/airflow/requirements.in -o images/airflow/requirements.lock
compile images/sbom/requirements.in -o images/sbom/requirements.lock
compile hack/requirements.in images/common/pyproject.toml -o hack/requirements.lock
for name in drift health sandbox; do
    overrides=()
    [[ ! -f images/$name/overrides.txt ]] || overrides=(--override "images/$name/overrides.txt")
    compile images/common/pyproject.toml "images/$name/pyproject.toml" "${overrides[@]}" -o "images/$name/requirements.lock"
done
# Torch in two variants: the CPU wheel is wherever pip's settings find it, the CUDA one on the index.
train=(images/common/pyproject.toml images/train/pyproject.toml)
compile "${train[@]}" -o images/train/requirements-cuda.lock
UV_FIND_LINKS=${PIP_FIND_LINKS:-$("$CACHE/uv-venv/bin/pip" config get global.find-links)} \
    compile "${train[@]}" --override <(echo "torch==2.13.0+cpu") -o images/train/requirements.lock
