#!/usr/bin/env bash
# test.sh SUITE...: run suites (lint unit dags manifests cluster chart debian cuda-image failures) to the end, then say what
# passed and what failed.
source "$(dirname "$0")/lib.sh"
cd "$REPO"
rm -rf reports && mkdir -p reports

failed=()
# step NAME COMMAND...: run it, remember when it fails.
step() {
    local name=$1 start=$SECONDS
    shift
    say "$name"
    "$@" || failed+=("$name")
    say "$name: $((SECONDS - start)) s"
}
pytest_in() { PYTHONPATH=tests:hack:dags ".venvs/$1/bin/pytest" -q --tb=short --junitxml "reports/$2.xml" "${@:3}"; }
# A process for each core, of which libraries then use no more; the tests of one file stay together.
parallel_in() { OMP_NUM_THREADS=1 pytest_in "$@" -n auto --maxprocesses 4 --dist loadfile; }

lint() {
    hack/venv.sh dev airflow drift health sandbox train
    step lint hack/lint.sh
}
unit() {
    install_packages postgresql prometheus-pushgateway faketime openssl socat
    hack/venv.sh dev drift health sandbox train
    step "unit: operators' tools" parallel_in dev unit-ops tests/unit/ops
    step "unit: common and drift" parallel_in drift unit-drift tests/unit/common tests/unit/drift --ignore tests/unit/common/test_hub.py
    step "unit: sandbox" parallel_in sandbox unit-sandbox tests/unit/sandbox
    step "unit: health" parallel_in health unit-health tests/unit/health tests/unit/common/test_hub.py
    step "unit: train" parallel_in train unit-train tests/unit/train --ignore tests/unit/train/test_cuda_image.py
}
dags() {
    install_packages openssl
    hack/venv.sh airflow sandbox # the sandbox's mail server receives the alerts
    AIRFLOW_HOME=$(mktemp -d) AIRFLOW__CORE__LOAD_EXAMPLES=False step dags parallel_in airflow dags tests/dags
}
manifests() {
    hack/venv.sh dev drift airflow
    step "manifests and docs" pytest_in dev manifests tests/manifests tests/docs
}
cluster() {
    make -s up
    # Minutes per test: say each.
    step "cluster: real pods" pytest_in dev cluster tests/cluster -vv --durations 10 --ignore tests/cluster/test_helm_lifecycle.py
    step "failure modes: three of them" pytest_in dev failures-quick -vv -k "bucket or 503 or scheduler" \
        tests/failure_modes/test_configuration.py tests/failure_modes/test_drift_detection.py
    install_packages chromium
    step "browser" pytest_in dev browser tests/browser -vv
}

# Upgrades, rollbacks and removal of Airflow by its chart.
chart() {
    make -s up
    step "Airflow's life under the chart" pytest_in dev helm tests/cluster/test_helm_lifecycle.py -vv
}

# The cluster that is built from Debian's packages: up, one drift run and one health check, down, and nothing is left. The
# kind cluster, which has the same ports, goes first; its images are used.
debian() {
    hack/cluster.sh down
    export WAKEE_CLUSTER=debian
    make -s up
    step "Debian-built cluster" pytest_in dev debian tests/debian -vv
    hack/cluster.sh down
    step "Debian-built cluster: nothing is left" pytest_in dev debian-left tests/debian_left
}

# The image of the CUDA variant, run by Docker without a GPU.
cuda-image() {
    has_docker || fail "Cannot run the CUDA image: no Docker engine answers."
    install_packages postgresql
    hack/venv.sh sandbox train
    WAKEE_CUDA_IMAGE=$(TORCH_VARIANT=cuda python3 hack/images.py --build-only train)
    export WAKEE_CUDA_IMAGE
    step "CUDA image without a GPU" pytest_in train cuda-image -vv tests/unit/train/test_cuda_image.py
}

failures() {
    make -s up
    step "failure modes: real pods" pytest_in dev failures tests/failure_modes -vv
}

"$REPO/hack/tools.sh"
for suite in "$@"; do $suite; done
python3 hack/summarise_tests.py reports
((!${#failed[@]})) || fail "failed: ${failed[*]}"
