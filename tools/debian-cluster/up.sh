#!/usr/bin/env bash
# Start a single-node Kubernetes on this machine; picks up where it was after a reboot.
source "$(dirname "$0")/config.sh"

PACKAGES=(etcd-server containerd runc containernetworking-plugins iptables iproute2 conntrack ethtool socat procps
    dnsmasq-base openssl gcc libc6-dev buildah)

render() { sed -e "s|@CLUSTER@|$CLUSTER|g; s|@SOCKETS@|$SOCKETS|g; s|@CONTAINERD_SOCKET@|$CONTAINERD_SOCKET|g; s|@PAUSE_IMAGE@|$PAUSE_IMAGE|g; s|@BRIDGE@|$BRIDGE|g; s|@POD_CIDR@|$POD_CIDR|g; s|@NODE_IP@|$NODE_IP|g; s|@PKI@|$PKI|g" "$HERE/$1" >"$2"; }

# start NAME COMMAND...: run it in a session of its own, with a log and a pid file, unless it runs.
start() {
    local name=$1
    shift
    alive "$name" || { setsid "$@" >>"$LOGS/$name.log" 2>&1 </dev/null & echo $! >"$PIDS/$name"; }
}

start_bridge() {
    ip link show "$BRIDGE" >/dev/null 2>&1 || ip link add "$BRIDGE" type bridge
    ip address replace "$NODE_IP/24" dev "$BRIDGE"
    ip link set "$BRIDGE" up
    sysctl -qw net.ipv4.ip_forward=1
}

start_control_plane() {
    start etcd etcd --data-dir="$CLUSTER/etcd" --listen-client-urls=http://127.0.0.1:12379 \
        --advertise-client-urls=http://127.0.0.1:12379 --listen-peer-urls=http://127.0.0.1:12380 --unsafe-no-fsync
    start kube-apiserver "$BIN/kube-apiserver" --etcd-servers=http://127.0.0.1:12379 --bind-address="$NODE_IP" \
        --advertise-address="$NODE_IP" --service-cluster-ip-range="$SERVICE_CIDR" --authorization-mode=Node,RBAC \
        --client-ca-file="$PKI/ca.crt" --tls-cert-file="$PKI/apiserver.crt" --tls-private-key-file="$PKI/apiserver.key" \
        --kubelet-client-certificate="$PKI/admin.crt" --kubelet-client-key="$PKI/admin.key" \
        --kubelet-preferred-address-types=InternalIP --service-account-key-file="$PKI/service-account.key" \
        --service-account-signing-key-file="$PKI/service-account.key" --service-account-issuer=https://kubernetes.default.svc \
        --enable-admission-plugins=NodeRestriction --allow-privileged
    wait_until 60 "Kubernetes API server" "$LOGS/kube-apiserver.log" kubectl get --raw /readyz
    start kube-controller-manager "$BIN/kube-controller-manager" --kubeconfig="$PKI/kube-controller-manager.kubeconfig" \
        --root-ca-file="$PKI/ca.crt" --service-account-private-key-file="$PKI/service-account.key" \
        --use-service-account-credentials --leader-elect=false --bind-address=127.0.0.1 --port=0
    start kube-scheduler "$BIN/kube-scheduler" --kubeconfig="$PKI/kube-scheduler.kubeconfig" \
        --leader-elect=false --bind-address=127.0.0.1 --port=0
}

# A later mount over this folder, as `ip netns add` makes one, would hide the pods' namespaces from who unmounts them.
share_network_namespaces() {
    mkdir -p /run/netns
    mountpoint -q /run/netns || mount --bind /run/netns /run/netns
    mount --make-shared /run/netns
}

start_containerd() {
    ! alive containerd || return 0
    share_network_namespaces
    mkdir -p "$SOCKETS" "$CLUSTER/cni"
    render containerd.toml "$CLUSTER/containerd.toml"
    render cni.conflist "$CLUSTER/cni/10-wakee.conflist"
    start containerd containerd --config "$CLUSTER/containerd.toml"
    wait_until 30 containerd "$LOGS/containerd.log" ctr_k8s version
    # Whatever ran before a reboot is gone; the kubelet makes it anew.
    ctr_k8s containers ls -q | while read -r id; do
        ctr_k8s tasks delete --force "$id" >/dev/null 2>&1 || true
        ctr_k8s containers delete "$id"
    done
    ctr_k8s images ls -q | grep -qx "$PAUSE_IMAGE" || import_pause_image
}

import_pause_image() {
    local work container
    work=$(mktemp -d)
    gcc -Os -static -o "$work/pause" "$HERE/pause.c"
    container=$(buildah from scratch)
    buildah copy -q "$container" "$work/pause" /pause >/dev/null
    buildah config --entrypoint '["/pause"]' "$container"
    buildah commit -q --rm "$container" "$PAUSE_IMAGE" >/dev/null
    buildah push -q "$PAUSE_IMAGE" "oci-archive:$work/pause.tar:$PAUSE_IMAGE"
    ctr_k8s images import "$work/pause.tar" >/dev/null
    rm -rf "$work"
}

# What ran before a reboot is gone, so its pods are deleted and made anew. Left to the kubelet, a pod that is deleted
# before its containers run again can stay Terminating for ever.
forget_pods() {
    local phase
    for phase in Running Pending; do
        kubectl delete pods --all-namespaces --field-selector="status.phase=$phase" --force --grace-period=0 2>/dev/null
    done >/dev/null
}

start_node() {
    render kubelet.yaml.in "$CLUSTER/kubelet.yaml"
    start kubelet "$BIN/kubelet" --config="$CLUSTER/kubelet.yaml" --kubeconfig="$PKI/kubelet.kubeconfig" \
        --root-dir="$CLUSTER/kubelet" --hostname-override="$NODE" --node-ip="$NODE_IP" --container-runtime=remote \
        --container-runtime-endpoint="unix://$CONTAINERD_SOCKET"
    start kube-proxy "$BIN/kube-proxy" --kubeconfig="$PKI/kube-proxy.kubeconfig" --hostname-override="$NODE" \
        --cluster-cidr="$POD_CIDR" --proxy-mode=iptables --metrics-bind-address=127.0.0.1:10249 --conntrack-max-per-core=0
    start dns bash "$HERE/dns.sh"
    start forwards bash "$HERE/forwards.sh"
}

node_ready() { kubectl get nodes --no-headers | grep -qw Ready; }

# As kubeadm does. k8s/overlays/kind selects the node by it.
label_node() { kubectl label nodes --all --overwrite node-role.kubernetes.io/control-plane= >/dev/null; }

make_volumes() {
    kubectl apply -f "$HERE/volumes.yaml" >/dev/null
    local number
    for number in 1 2 3 4 5 6; do
        mkdir -p "$CLUSTER/volumes/$number"
        chmod 0777 "$CLUSTER/volumes/$number"
        cat <<YAML
---
apiVersion: v1
kind: PersistentVolume
metadata: { name: local-$number }
spec:
  storageClassName: standard
  capacity: { storage: 10Gi }
  accessModes: [ReadWriteOnce]
  persistentVolumeReclaimPolicy: Retain
  hostPath: { path: $CLUSTER/volumes/$number }
YAML
    done | kubectl apply -f - >/dev/null
}

install_packages "${PACKAGES[@]}"
mkdir -p "$LOGS"
"$HERE/certificates.sh"
install -D -m 600 "$PKI/admin.kubeconfig" "$KUBECONFIG"
if ! all_alive; then
    "$HERE/stop.sh"
    "$HERE/forwards.sh" check
    mkdir -p "$PIDS"
    start_bridge
    start_containerd # first, so that images can be loaded while Kubernetes is built
    "$HERE/binaries.sh"
    start_control_plane
    forget_pods
    start_node
fi
wait_until 90 "a ready node" "$LOGS/kubelet.log" node_ready
label_node
make_volumes
