#!/usr/bin/env bash
# Resolve the requirements of every image and of the development tools into hash-locked files.
source "$(dirname "$0")/lib.sh"
"$REPO/hack/tools.sh"
cd "$REPO"

compile() { uv pip compile -q --generate-hashes --python-version 3.11 --no-header --unsafe-package wakee-common "$@"; }

compile images/airflow/requirements.in -o images/airflow/requirements.lock
compile hack/requirements.in images/common/pyproject.toml -o hack/requirements.lock
for name in drift sandbox; do
    compile images/common/pyproject.toml "images/$name/pyproject.toml" -o "images/$name/requirements.lock"
done
