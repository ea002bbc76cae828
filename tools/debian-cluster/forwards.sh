#!/usr/bin/env bash
# forwards.sh [check]: what kind's extraPortMappings do, ports of localhost lead to NodePorts; or fail when one is taken.
source "$(dirname "$0")/config.sh"

ports() { sed -nE 's/.*containerPort: ([0-9]+), hostPort: ([0-9]+).*/\1 \2/p' "$REPO/kind-config.yaml"; }

if [[ ${1:-} == check ]]; then
    while read -r _ port; do
        ! (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null ||
            fail "port $port of localhost is taken: end what listens there, or give kind-config.yaml another hostPort"
    done < <(ports)
    exit 0
fi
trap 'kill $(jobs -p) 2>/dev/null' EXIT
trap exit TERM
while read -r node_port port; do
    socat "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr" "TCP:$NODE_IP:$node_port" &
done < <(ports)
wait
