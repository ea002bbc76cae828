#!/usr/bin/env bash
# helm.sh install|diff|render|rollback|uninstall: Airflow by the official chart, with helm/values.yaml and VALUES on top.
#   VALUES             helm/values-production.yaml
#   CHART, CHART_REPO  see hack/chart.sh
#   HELM_TIMEOUT       how long to wait for the pods; 10m
#   CLUSTER            kubeconfig of the cluster; without it, the local one's
#   REVISION           for rollback: which one; without it, the one before (helm history airflow -n airflow)
source "$(dirname "$0")/lib.sh"
source "$REPO/hack/chart.sh"

RELEASE=airflow
NAMESPACE=airflow
VALUES=${VALUES:-$REPO/helm/values-production.yaml}
TIMEOUT=${HELM_TIMEOUT:-10m}
[[ -z ${CLUSTER:-} ]] || export KUBECONFIG=$CLUSTER
SECRETS=(airflow-metadata airflow-fernet-key airflow-api-secret-key airflow-jwt-secret airflow-users airflow-connections)
values=(--values "$REPO/helm/values.yaml" --values "$VALUES")

cluster_answers() {
    kubectl version >/dev/null 2>&1 || fail "no cluster answers at $KUBECONFIG: set CLUSTER to a kubeconfig"
    say "cluster $(kubectl config current-context)"
}

# What the chart's pods name and the chart does not make.
check_prerequisites() {
    local name missing=()
    kubectl -n "$NAMESPACE" get serviceaccount airflow >/dev/null 2>&1 ||
        fail "no service account airflow: apply k8s/overlays/production (a copy of it) first"
    kubectl -n "$NAMESPACE" get configmap wakee-images >/dev/null 2>&1 ||
        fail "no ConfigMap wakee-images in namespace $NAMESPACE: apply k8s/overlays/production (a copy of it) first"
    for name in "${SECRETS[@]}"; do
        kubectl -n "$NAMESPACE" get secret "$name" >/dev/null 2>&1 || missing+=("$name")
    done
    ((!${#missing[@]})) || fail "no Secret ${missing[*]} in namespace $NAMESPACE: docs/production.md says how to make them"
}

# Pods read these when they start; a change of theirs is a reason to start again.
settings_digest() { kubectl -n "$NAMESPACE" get configmap wakee-images -o jsonpath='{.data}' | sha256sum | cut -c1-12; }

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

ready_to_render() {
    [[ -f $VALUES ]] || fail "no file $VALUES: set VALUES"
    find_chart
}

# The newest revision that came up; empty when there is none.
last_good() {
    { helm history "$RELEASE" --namespace "$NAMESPACE" -o json 2>/dev/null || echo '[]'; } | python3 -c '
import json, sys
good = [r["revision"] for r in json.load(sys.stdin) if r["status"] in ("deployed", "superseded")]
print(max(good, default=""))'
}

rollback_to() {
    # A Job cannot be changed; that of the last upgrade has ended.
    kubectl -n "$NAMESPACE" delete job "$RELEASE-run-airflow-migrations" --ignore-not-found >/dev/null
    helm rollback "$RELEASE" "$1" --namespace "$NAMESPACE" --wait --timeout "$TIMEOUT" >"$STATE/helm.log" 2>&1 ||
        { tail -n 5 "$STATE/helm.log" >&2 && fail "Cannot roll back to revision $1: the lines above say why."; }
    say "revision $1 of $RELEASE runs again"
}

# A helm that was interrupted leaves a release that accepts no upgrade.
recover_release() {
    [[ $(helm status "$RELEASE" --namespace "$NAMESPACE" -o json 2>/dev/null) == *'"status":"pending-'* ]] || return 0
    say "an earlier helm was interrupted"
    local good
    good=$(last_good)
    if [[ -n $good ]]; then rollback_to "$good"; else helm uninstall "$RELEASE" --namespace "$NAMESPACE" --wait; fi
}

# A failed upgrade leaves what ran before it, and says why it failed.
upgrade_release() {
    recover_release
    local good
    good=$(last_good)
    kubectl -n "$NAMESPACE" delete job "$RELEASE-run-airflow-migrations" --ignore-not-found >/dev/null
    helm upgrade --install "$RELEASE" "${chart[@]}" --namespace "$NAMESPACE" "${values[@]}" ${apply[@]+"${apply[@]}"} \
        --wait --timeout "$TIMEOUT" >"$STATE/helm.log" 2>&1 && return
    tail -n 5 "$STATE/helm.log" >&2
    kubectl -n "$NAMESPACE" get pods >&2
    kubectl -n "$NAMESPACE" get events --field-selector type=Warning --sort-by=.lastTimestamp 2>&1 | tail -n 8 >&2
    [[ -z $good ]] || rollback_to "$good"
    fail "helm upgrade of $RELEASE failed: the lines above say why. Correct that and run the same command again."
}

render() { helm template "$RELEASE" "${chart[@]}" --namespace "$NAMESPACE" "${values[@]}"; }

case ${1:-} in
    install)
        ready_to_render
        cluster_answers
        check_prerequisites
        arguments
        timed "Airflow (chart $CHART_VERSION) with $(basename "$VALUES")" upgrade_release
        ;;
    diff)
        ready_to_render
        cluster_answers
        check_prerequisites
        arguments
        status=0
        render | kubectl diff -n "$NAMESPACE" -f - || status=$?
        ((status <= 1)) || fail "kubectl diff ended with $status"
        ((status)) || say "no difference"
        ;;
    render)
        ready_to_render
        render
        ;;
    rollback)
        cluster_answers
        timed "rollback" rollback_to "${REVISION:-0}" # 0 is the one before
        ;;
    uninstall)
        cluster_answers
        say "Secrets, the database and k8s/ stay"
        helm uninstall "$RELEASE" --namespace "$NAMESPACE" --wait
        ;;
    *) fail "usage: helm.sh install|diff|render|rollback|uninstall" ;;
esac
