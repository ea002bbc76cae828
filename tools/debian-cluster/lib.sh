# Shared by the scripts of this folder: where things lie, how to speak, how to wait.
# shellcheck shell=bash disable=SC2034
set -euo pipefail
if ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)) || ! command -v dpkg-query >/dev/null; then
    echo "error: Cannot work on a cluster built from Debian's packages: this is not Debian, or bash is older than 4.4." >&2
    exit 1
fi

REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
CACHE=${XDG_CACHE_HOME:-$HOME/.cache}/wakee-airflow # downloads and builds: safe to delete, slow to refill
STATE=${XDG_STATE_HOME:-$HOME/.local/state}/wakee-airflow # what the running cluster owns
export KUBECONFIG=$REPO/.kube/config
export PATH=$CACHE/tools:$PATH # kubectl, from tools/bootstrap.py
export DEBIAN_FRONTEND=noninteractive
mkdir -p "$CACHE" "$STATE"

say() { printf '\033[1;36m==>\033[0m %s\n' "$*" >&2; }
fail() {
    printf '\033[1;31merror:\033[0m %s\n' "$*" >&2
    exit 1
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

# install_packages NAME...: Debian packages that are not there yet.
install_packages() {
    [[ -n $(missing_packages "$@") ]] || return 0
    ((EUID == 0)) || fail "missing packages: $(missing_packages "$@"). Install them, or run as root."
    (flock 9; install_missing "$@") 9>"$CACHE/packages.lock" # as tools/src/wakee_tools/packages.py
}

install_missing() {
    local missing
    read -ra missing <<<"$(missing_packages "$@")"
    ((${#missing[@]})) || return 0
    say "installing ${missing[*]}"
    [[ -z $(dpkg --audit) ]] || dpkg --configure -a # what an interrupted run left half done
    apt-get -o DPkg::Lock::Timeout=300 update -qq
    # Some packages start a service when installed; the cluster starts its own.
    RUNLEVEL=1 apt-get -o DPkg::Lock::Timeout=300 install -qq -y --no-install-recommends "${missing[@]}" >"$STATE/apt.log" 2>&1 ||
        { tail -n 20 "$STATE/apt.log" >&2 && fail "apt-get install ${missing[*]}"; }
}

missing_packages() {
    local name
    for name in "$@"; do
        dpkg-query -W -f='${Status}' "$name" 2>/dev/null | grep -q 'ok installed' || printf '%s ' "$name"
    done
}
