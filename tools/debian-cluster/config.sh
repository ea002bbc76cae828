# Names, addresses and folders of the Debian-built cluster.
# shellcheck shell=bash disable=SC2034
source "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

HERE=$REPO/tools/debian-cluster
BIN=$CACHE/kubernetes-1.20.2
CLUSTER=$STATE/cluster
PKI=$CLUSTER/pki
LOGS=$CLUSTER/logs
SOCKETS=/run/wakee-airflow # short: a socket's path has at most 107 bytes
PIDS=$SOCKETS/pids # gone after a reboot, as the processes are
CONTAINERD_SOCKET=$SOCKETS/containerd.sock
PAUSE_IMAGE=localhost/wakee/pause:1

NODE=wakee-node
BRIDGE=wakee-br0
NODE_IP=10.244.0.1 # the pod bridge's own address: reaches the host on every machine, whatever its network
POD_CIDR=10.244.0.0/24
SERVICE_CIDR=10.96.0.0/16
API=https://$NODE_IP:6443
STARTED_PROCESSES=(etcd kube-apiserver kube-controller-manager kube-scheduler containerd kubelet kube-proxy dns forwards)

ctr_k8s() { ctr --address "$CONTAINERD_SOCKET" --namespace k8s.io "$@"; }
# By its command line too: a number may be somebody else's by now.
alive() { [[ -s $PIDS/$1 ]] && grep -qa -- "$1" "/proc/$(<"$PIDS/$1")/cmdline" 2>/dev/null; }
all_alive() {
    local name
    for name in "${STARTED_PROCESSES[@]}"; do alive "$name" || return 1; done
}
