#!/usr/bin/env bash
# Formatting, lint, types, shell scripts, Dockerfiles, YAML. Says every finding, then fails if there was one.
source "$(dirname "$0")/lib.sh"
cd "$REPO"
bin=.venvs/dev/bin
status=0

check() { "$@" || { say "failed: $*" && status=1; }; }
# Each package is checked against the libraries of its own environment.
types() { MYPYPATH=$2 check $bin/mypy --no-error-summary --python-executable ".venvs/$1/bin/python" "${@:3}"; }

check $bin/ruff format --check -q .
check $bin/ruff check -q .
contract=images/contract/src
common=$contract:images/common/src
types drift $contract $contract/wakee_contract
types drift "$common" images/common/src/wakee_common
types drift "$common:images/drift/src" images/drift/src/wakee_drift
types sandbox "$common:images/sandbox/src" images/sandbox/src/wakee_sandbox
types health "$common:images/health/src" images/health/src/wakee_health
types train "$common:images/train/src" images/train/src/wakee_train
types airflow dags:$contract dags
types dev hack:dags:$contract hack/ops hack/images.py hack/containers hack/helm_values.py
types dev hack hack/configuration_reference.py
# shellcheck disable=SC2046
check $bin/shellcheck -x -P SCRIPTDIR -e SC1091 $(git ls-files '*.sh') images/airflow/entrypoint images/airflow/clean-logs
# shellcheck disable=SC2046
check $bin/hadolint $(git ls-files '*Dockerfile')
check $bin/yamllint -s .
exit $status
