#!/usr/bin/env bash
# Cluster DNS: dnsmasq answers for Services from a hosts file that follows the API server.
source "$(dirname "$0")/config.sh"
export KUBECONFIG=$PKI/admin.kubeconfig
hosts=$CLUSTER/hosts

write_hosts() {
    kubectl get services --all-namespaces --no-headers \
        -o custom-columns=IP:.spec.clusterIP,NAME:.metadata.name,NAMESPACE:.metadata.namespace |
        awk '$1 ~ /^[0-9]/ { print $1, $2 "." $3 ".svc.cluster.local" }' >"$hosts.part" && mv "$hosts.part" "$hosts"
    kill -HUP "$dnsmasq"
}

touch "$hosts"
dnsmasq --keep-in-foreground --user=root --pid-file --listen-address="$NODE_IP" --bind-interfaces \
    --no-hosts --addn-hosts="$hosts" --local=/cluster.local/ --log-facility=- &
dnsmasq=$!
trap 'kill $(jobs -p) 2>/dev/null' EXIT
trap exit TERM
while kill -0 "$dnsmasq" 2>/dev/null; do
    # The watch ends when the API server restarts; then it is begun again.
    while read -r _; do write_hosts || true; done < <(
        kubectl get services --all-namespaces --watch --output-watch-events --no-headers -o name 2>/dev/null
    )
    sleep 1
done
