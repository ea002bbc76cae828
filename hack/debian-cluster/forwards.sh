#!/usr/bin/env bash
# What kind's extraPortMappings do: ports of localhost lead to NodePorts.
source "$(dirname "$0")/config.sh"

trap 'kill $(jobs -p) 2>/dev/null' EXIT
trap exit TERM
while read -r node_port port; do
    socat "TCP-LISTEN:$port,bind=127.0.0.1,fork,reuseaddr" "TCP:$NODE_IP:$node_port" &
done < <(sed -nE 's/.*containerPort: ([0-9]+), hostPort: ([0-9]+).*/\1 \2/p' "$REPO/kind-config.yaml")
wait
