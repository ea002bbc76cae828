#!/usr/bin/env bash
# helm.sh install|diff|render|uninstall: Airflow by the official chart, with helm/values.yaml and VALUES on top.
#   VALUES      helm/values-production.yaml
#   CHART       apache-airflow/airflow, a folder, or a .tgz; always version 1.22.0
#   CHART_REPO  address of the chart's repository, instead of `helm repo add`
#   CLUSTER     kubeconfig of the cluster; without it, the local one's
source "$(dirname "$0")/lib.sh"

VERSION=1.22.0
RELEASE=airflow
NAMESPACE=airflow
VALUES=${VALUES:-$REPO/helm/values-production.yaml}
CHART=${CHART:-apache-airflow/airflow}
[[ -z ${CLUSTER:-} ]] || export KUBECONFIG=$CLUSTER
SECRETS=(airflow-metadata airflow-fernet-key airflow-api-secret-key airflow-jwt-secret airflow-users airflow-connections)

chart=("$CHART" --version "$VERSION")
[[ -z ${CHART_REPO:-} ]] || chart=(airflow --repo "$CHART_REPO" --version "$VERSION")
values=(--values "$REPO/helm/values.yaml" --values "$VALUES")

chart_is_there() {
    [[ -f $VALUES ]] || fail "no file $VALUES: set VALUES"
    local found
    found=$(helm show chart "${chart[@]}" 2>"$STATE/helm.log") || {
        tail -n 3 "$STATE/helm.log" >&2
        fail "the chart $CHART $VERSION cannot be had. 'helm repo add apache-airflow ADDRESS' once (the address is in
       Airflow's documentation of its Helm chart), or set CHART_REPO=ADDRESS, or CHART to a folder or .tgz of it."
    }
    grep -qx "version: $VERSION" <<<"$found" || fail "$CHART is not version $VERSION, which helm/values.yaml is written for"
}

cluster_is_ready() {
    kubectl version >/dev/null 2>&1 || fail "no cluster answers at $KUBECONFIG: set CLUSTER to a kubeconfig"
    say "cluster $(kubectl config current-context)"
    local name missing=()
    kubectl -n $NAMESPACE get serviceaccount airflow >/dev/null 2>&1 ||
        fail "no service account airflow: apply k8s/overlays/production (a copy of it) first"
    for name in "${SECRETS[@]}"; do
        kubectl -n $NAMESPACE get secret "$name" >/dev/null 2>&1 || missing+=("$name")
    done
    ((!${#missing[@]})) || fail "no Secret ${missing[*]} in namespace $NAMESPACE: docs/production.md says how to make them"
}

# Pods read these when they start; a change of theirs is a reason to start again.
settings_digest() {
    { kubectl -n $NAMESPACE get configmap wakee-images -o jsonpath='{.data}' 2>/dev/null || true; } | sha256sum | cut -c1-12
}

arguments() {
    local built
    values+=(--set-string "airflowPodAnnotations.wakee\.io/settings=$(settings_digest)")
    if [[ $VALUES == */values-kind.yaml && -s $REPO/.build/images.env ]]; then
        built=$(sed -n 's/^airflow=//p' "$REPO/.build/images.env")
        values+=(--set "images.airflow.repository=${built%:*}" --set-string "images.airflow.tag=${built##*:}")
    fi
    # Server-side apply of Helm 4 meets a defect of old API servers.
    apply=()
    (($(kubectl version -o json | sed -n '/serverVersion/,$ s/.*"minor": "\([0-9]*\).*/\1/p') >= 22)) || apply=(--server-side=false)
}

render() { helm template $RELEASE "${chart[@]}" --namespace $NAMESPACE "${values[@]}"; }

case ${1:-} in
    install)
        chart_is_there
        cluster_is_ready
        arguments
        # A Job cannot be changed; the last upgrade's has ended (--wait).
        kubectl -n $NAMESPACE delete job $RELEASE-run-airflow-migrations --ignore-not-found >/dev/null
        timed "Airflow $VERSION (chart) with $(basename "$VALUES")" helm upgrade --install $RELEASE "${chart[@]}" \
            --namespace $NAMESPACE "${values[@]}" "${apply[@]}" --wait --timeout 10m
        ;;
    diff)
        chart_is_there
        cluster_is_ready
        arguments
        status=0
        render | kubectl diff -n $NAMESPACE -f - || status=$?
        ((status <= 1)) || fail "kubectl diff ended with $status"
        ((status)) || say "no difference"
        ;;
    render)
        chart_is_there
        render
        ;;
    uninstall)
        kubectl version >/dev/null 2>&1 || fail "no cluster answers at $KUBECONFIG: set CLUSTER to a kubeconfig"
        say "cluster $(kubectl config current-context); Secrets, the database and k8s/ stay"
        helm uninstall $RELEASE --namespace $NAMESPACE --wait
        ;;
    *) fail "usage: helm.sh install|diff|render|uninstall" ;;
esac
