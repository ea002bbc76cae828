#!/usr/bin/env bash
# cluster.sh up|down|status|restart NAME: kind where a Docker engine answers, else a cluster built from Debian's
# packages. WAKEE_CLUSTER=kind|debian chooses.
source "$(dirname "$0")/lib.sh"

DEBIAN=$REPO/hack/debian-cluster
CONTROL_PLANE=$CLUSTER_NAME-control-plane

# The containers of the kind cluster's nodes, running or not.
kind_nodes() { docker ps --all --filter "label=io.x-k8s.kind.cluster=$CLUSTER_NAME" --format '{{.Names}}'; }
in_control_plane() { docker exec "$CONTROL_PLANE" "$@"; }
api_answers() { in_control_plane kubectl --kubeconfig /etc/kubernetes/admin.conf get --raw /readyz; }

require_kind() {
    has_docker || fail "Cannot use kind: no Docker engine answers. Start it, or set WAKEE_CLUSTER=debian (as root, on Debian 12)."
    command -v kind >/dev/null ||
        fail "Cannot use kind: it is not installed. Install kind $KIND_VERSION
       (https://kind.sigs.k8s.io/docs/user/quick-start/#installation), or set WAKEE_CLUSTER=debian."
}

# A creation that was interrupted leaves nodes that never become a cluster. What kind does last is the storage class,
# and the nodes that join.
is_whole() {
    local nodes
    in_control_plane test -e /etc/kubernetes/admin.conf || return 1
    wait_until 120 "The API server of the kind cluster '$CLUSTER_NAME' (make cluster-down removes the cluster)" "" api_answers
    nodes=$(in_control_plane kubectl --kubeconfig /etc/kubernetes/admin.conf get nodes,storageclass --no-headers -o name) || return 1
    grep -q storageclass <<<"$nodes" && (($(grep -c ^node/ <<<"$nodes") == $(kind_nodes | wc -l)))
}

kind_create() {
    kind create cluster --config "$REPO/kind-config.yaml" ${KIND_NODE_IMAGE:+--image "$KIND_NODE_IMAGE"} --wait 180s
}

kind_up() {
    require_kind
    local stopped
    stopped=$(docker ps --all --quiet --filter "label=io.x-k8s.kind.cluster=$CLUSTER_NAME" --filter status=exited --filter status=created)
    # shellcheck disable=SC2086
    [[ -z $stopped ]] || { say "starting the nodes that stopped" && docker start $stopped >/dev/null; }
    if [[ -z $(kind_nodes) ]]; then
        kind_create
    elif ! is_whole; then
        say "the creation of the kind cluster was interrupted: it is made anew"
        kind delete cluster --name $CLUSTER_NAME
        kind_create
    fi
    kind export kubeconfig --name $CLUSTER_NAME --kubeconfig "$KUBECONFIG"
    kubectl wait --for=condition=Ready nodes --all --timeout=180s >/dev/null ||
        fail "The kind cluster has nodes that are not ready after 180 s. 'kubectl describe nodes' says why; 'make cluster-down' removes it."
}

# What runs in pods that were there before a node stopped starts again by itself.
up() {
    mkdir -p "$(dirname "$KUBECONFIG")"
    if [[ $(cluster_kind) == kind ]]; then kind_up; else "$DEBIAN/up.sh"; fi
    say "cluster ready: export KUBECONFIG=${KUBECONFIG#"$PWD"/}"
}

# The images in the registry stay for the next cluster, until earlier ones have made too much of them (or make clean).
registry_is_large() {
    local folder
    folder=$(docker volume inspect --format '{{.Mountpoint}}' wakee-registry 2>/dev/null) || return 1
    (($(du -sm "$folder" 2>/dev/null | cut -f1 || echo 0) > 10000))
}

# Either kind, whichever is there.
down() {
    if has_docker; then
        local nodes
        nodes=$(kind_nodes)
        # shellcheck disable=SC2086
        [[ -z $nodes ]] || docker rm --force --volumes $nodes >/dev/null
        docker rm --force wakee-registry >/dev/null 2>&1 || true
        if registry_is_large; then docker volume rm --force wakee-registry >/dev/null; fi
    fi
    "$DEBIAN/stop.sh"
    rm -rf "$STATE/cluster" "$KUBECONFIG"
}

status() {
    if [[ $(cluster_kind) == kind ]]; then
        docker ps --all --filter "label=io.x-k8s.kind.cluster=$CLUSTER_NAME" --format 'table {{.Names}}\t{{.Status}}'
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
    if [[ $(cluster_kind) == kind ]]; then in_control_plane pkill -KILL -x "$1"; else "$DEBIAN/restart.sh" "$1"; fi
}

# What building images needs where no Docker engine does it.
prepare_build() { has_docker || install_packages buildah mmdebstrap; }

case ${1:-} in
    prepare-build) prepare_build ;;
    up) timed "cluster" up ;;
    down) down ;;
    status) status ;;
    restart) restart "${2:?name of the process}" ;;
    *) fail "usage: cluster.sh up|down|status|restart NAME" ;;
esac
