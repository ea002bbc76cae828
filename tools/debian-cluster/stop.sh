#!/usr/bin/env bash
# End every process of the cluster, its containers, mounts, network and cgroups; keep its data.
source "$(dirname "$0")/config.sh"

# end NAME: SIGTERM to the process group we started, SIGKILL after 10 s.
end() {
    if ! alive "$1"; then
        rm -f "$PIDS/$1"
        return
    fi
    local pid
    pid=$(<"$PIDS/$1")
    kill -TERM -- "-$pid" 2>/dev/null || true
    for _ in {1..50}; do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
    kill -KILL -- "-$pid" 2>/dev/null || true
    rm -f "$PIDS/$1"
}

end_containers() {
    local shim
    for shim in $(pgrep -f "containerd-shim.* -address $CONTAINERD_SOCKET"); do
        pkill -KILL -P "$shim" || true
        kill -KILL "$shim" 2>/dev/null || true
    done
}

unmount_all() {
    local point
    for _ in 1 2 3; do
        # shellcheck disable=SC2013
        for point in $(awk '{print $2}' /proc/mounts | grep -E "^($CLUSTER|$SOCKETS|(/var)?/run/netns/cni-)" | sort -r); do
            umount -l "$point" 2>/dev/null || true
        done
    done
    rm -rf /run/netns/cni-*
    # Another's namespaces stay.
    [[ -n $(ls -A /run/netns 2>/dev/null) ]] || umount /run/netns 2>/dev/null || true
}

remove_network() {
    local link tool
    for link in $(ip -o link show master "$BRIDGE" 2>/dev/null | grep -oE 'veth[0-9a-f]+'); do
        ip link delete "$link" 2>/dev/null || true
    done
    ! ip link show "$BRIDGE" >/dev/null 2>&1 || ip link delete "$BRIDGE"
    for tool in iptables ip6tables; do
        # Read to the end: grep -q would end the pipe early, which counts as a failure.
        if [[ $($tool-save 2>/dev/null | grep -cE 'KUBE-|CNI-') -gt 0 ]]; then
            $tool-save | grep -vE 'KUBE-|CNI-' | $tool-restore
        fi
    done
    rm -rf "$CLUSTER/cni-addresses"
}

# Other Kubernetes or CNI software on this machine has mounts and rules of the same names.
is_ours() { [[ -d $CLUSTER || -d $PIDS ]] || ip link show "$BRIDGE" >/dev/null 2>&1; }

is_ours || exit 0
for name in forwards dns kube-proxy kubelet; do end $name; done
end_containers
for name in containerd kube-scheduler kube-controller-manager kube-apiserver etcd; do end $name; done
unmount_all
remove_network
find /sys/fs/cgroup -depth -type d -path '*/kubepods*' -exec rmdir {} \; 2>/dev/null || true
rm -rf "$SOCKETS"
