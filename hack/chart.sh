# Where the official Airflow chart is: sourced by the scripts that need it.
#   CHART       a folder or .tgz of the chart, or its name in a repository that helm knows
#   CHART_REPO  address of another repository
# Without either, the chart comes from the cache, else from its official repository. It is always the same version.
# shellcheck shell=bash disable=SC2034

CHART_VERSION=1.22.0
CHART_SHA256=1f7d1dfe3d58e2c54899950aba907a43625a18c8b6fb3c54760c21592129a5b6
OFFICIAL_REPO=https://airflow.apache.org
CACHED_CHART=$CACHE/charts/airflow-$CHART_VERSION.tgz

sha256_of() { python3 -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' "$1"; }
check_digest() {
    [[ $(sha256_of "$1") == "$CHART_SHA256" ]] ||
        fail "$1 is not the airflow chart $CHART_VERSION as published (its SHA-256 is not $CHART_SHA256). Get it again."
}

# Set `chart`, helm's arguments that name the chart; fail with the remedy where there is none.
find_chart() {
    local found log=$STATE/helm.log
    if [[ -n ${CHART_REPO:-} ]]; then
        chart=(airflow --repo "$CHART_REPO" --version "$CHART_VERSION")
    elif [[ -n ${CHART:-} ]]; then
        chart=("$CHART" --version "$CHART_VERSION")
        [[ ! -f $CHART ]] || check_digest "$CHART"
    else
        [[ -s $CACHED_CHART ]] || download_chart
        check_digest "$CACHED_CHART"
        chart=("$CACHED_CHART")
    fi
    found=$(helm show chart "${chart[@]}" 2>"$log") ||
        fail "Cannot read the airflow chart ${chart[0]}: $(tail -n 1 "$log"). Set CHART to a .tgz or folder of version $CHART_VERSION."
    grep -qx "version: $CHART_VERSION" <<<"$found" ||
        fail "${chart[0]} is not version $CHART_VERSION of the airflow chart, which helm/values.yaml is written for."
}

download_chart() {
    say "downloading the airflow chart $CHART_VERSION from $OFFICIAL_REPO"
    mkdir -p "$CACHE/charts"
    helm pull airflow --repo "$OFFICIAL_REPO" --version "$CHART_VERSION" --destination "$CACHE/charts" >"$STATE/helm.log" 2>&1 ||
        fail "Cannot get the airflow chart $CHART_VERSION: $(tail -n 1 "$STATE/helm.log").
       Set CHART to a .tgz or folder of it, or CHART_REPO to a mirror of $OFFICIAL_REPO.
       On the local cluster, AIRFLOW_INSTALL=manifests installs Airflow without the chart."
}
