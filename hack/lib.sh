# Shared by every script in hack/: where things lie, how to speak, how to wait.
# shellcheck shell=bash disable=SC2034
set -euo pipefail

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/wakee-airflow # downloads and builds: safe to delete, slow to refill
STATE=${XDG_STATE_HOME:-$HOME/.local/state}/wakee-airflow # what the running cluster owns
TOOLS=$CACHE/tools
CLUSTER_NAME=wakee
KIND_VERSION=0.30.0
export KUBECONFIG=$REPO/.kube/config
export PATH=$TOOLS:$PATH
export DEBIAN_FRONTEND=noninteractive
mkdir -p "$CACHE" "$STATE" "$TOOLS"

say() { printf '\033[1;36m==>\033[0m %s\n' "$*" >&2; }
fail() {
    printf '\033[1;31merror:\033[0m %s\n' "$*" >&2
    exit 1
}

# timed LABEL COMMAND...: run it and say how long it took.
timed() {
    local label=$1 start=$SECONDS
    shift
    say "$label"
    "$@"
    say "$label: $((SECONDS - start)) s"
}

# wait_until SECONDS DESCRIPTION LOG COMMAND...: poll until COMMAND succeeds; at the deadline
# print the end of LOG ('' for none) and fail.
wait_until() {
    local seconds=$1 what=$2 log=$3 deadline=$((SECONDS + $1))
    shift 3
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= deadline)); then
            [[ -z $log ]] || { say "last lines of $log" && tail -n 20 "$log" >&2; }
            fail "$what: not there after $seconds s"
        fi
        sleep 0.3
    done
}

# A Docker engine that answers, not only its client.
has_docker() { command -v docker >/dev/null && docker info >/dev/null 2>&1; }

# cluster_kind: kind or debian. WAKEE_CLUSTER, else by what is there (hack/containers/engine.py decides likewise).
cluster_kind() {
    case ${WAKEE_CLUSTER:-} in
        kind | debian) echo "$WAKEE_CLUSTER" ;;
        '') if has_docker; then echo kind; else echo debian; fi ;;
        *) fail "WAKEE_CLUSTER is '$WAKEE_CLUSTER'. Set it to kind or debian, or leave it out." ;;
    esac
}

# airflow_install: chart or manifests. AIRFLOW_INSTALL, else the chart on kind.
airflow_install() {
    case ${AIRFLOW_INSTALL:-} in
        chart | manifests) echo "$AIRFLOW_INSTALL" ;;
        '') if [[ $(cluster_kind) == kind ]]; then echo chart; else echo manifests; fi ;;
        *) fail "AIRFLOW_INSTALL is '$AIRFLOW_INSTALL'. Set it to chart or manifests, or leave it out." ;;
    esac
}

# install_packages NAME...: Debian packages that are not there yet.
install_packages() {
    local missing=() name
    for name in "$@"; do
        dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || missing+=("$name")
    done
    ((${#missing[@]})) || return 0
    ((EUID == 0)) || fail "missing packages: ${missing[*]}. Install them, or run as root."
    say "installing ${missing[*]}"
    dpkg --configure -a # what an interrupted run left half done
    apt-get update -qq
    # Some packages start a service when installed; the cluster starts its own.
    RUNLEVEL=1 apt-get install -qq -y --no-install-recommends "${missing[@]}" >"$STATE/apt.log" 2>&1 ||
        { tail -n 20 "$STATE/apt.log" >&2 && fail "apt-get install ${missing[*]}"; }
}
