#!/usr/bin/env bash
# cluster.sh up|down|status|restart NAME: kind where a Docker engine runs, else a cluster built from Debian's packages.
source "$(dirname "$0")/lib.sh"

DEBIAN=$REPO/hack/debian-cluster

has_kind() { has_docker && command -v kind >/dev/null; }

kind_up() {
    kind get clusters 2>/dev/null | grep -qx $CLUSTER_NAME ||
        kind create cluster --config "$REPO/kind-config.yaml" ${KIND_NODE_IMAGE:+--image "$KIND_NODE_IMAGE"} --wait 180s
    kind export kubeconfig --name $CLUSTER_NAME --kubeconfig "$KUBECONFIG"
}

up() {
    mkdir -p "$(dirname "$KUBECONFIG")"
    if has_kind; then kind_up; else "$DEBIAN/up.sh"; fi
    say "cluster ready: export KUBECONFIG=${KUBECONFIG#"$PWD"/}"
}

down() {
    if has_kind; then
        kind delete cluster --name $CLUSTER_NAME
    else
        "$DEBIAN/stop.sh"
        rm -rf "$STATE/cluster"
    fi
    rm -f "$KUBECONFIG"
}

status() {
    if has_kind; then
        echo "kind clusters: $(kind get clusters 2>/dev/null | paste -sd' ')"
    else
        source "$DEBIAN/config.sh"
        local name
        for name in "${STARTED_PROCESSES[@]}"; do
            printf '%-26s %s\n' "$name" "$(alive "$name" && echo "running, pid $(<"$PIDS/$name")" || echo stopped)"
        done
    fi
    kubectl get nodes,pods --all-namespaces --request-timeout=5s || fail "no cluster answers: run 'make cluster'"
}

# One of Kubernetes' own processes is killed and started again, for tests: kube-apiserver, kubelet, containerd.
restart() {
    if has_kind; then docker exec "$CLUSTER_NAME-control-plane" pkill -KILL -x "$1"; else "$DEBIAN/restart.sh" "$1"; fi
}

# What building images needs where no Docker engine does it.
prepare_build() { has_kind || install_packages buildah mmdebstrap; }

case ${1:-} in
    prepare-build) prepare_build ;;
    up) timed "cluster" up ;;
    down) down ;;
    status) status ;;
    restart) restart "${2:?name of the process}" ;;
    *) fail "usage: cluster.sh up|down|status|restart NAME" ;;
esac
