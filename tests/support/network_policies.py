"""Evaluate NetworkPolicies from the manifests, without a cluster.

Supports what our policies use: pod and namespace selectors, address blocks with exceptions, numeric ports.
"""

from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from typing import Any

Policy = dict[str, Any]


@dataclass(frozen=True)
class Pod:
    """An end of a connection inside the cluster."""

    namespace: str
    labels: dict[str, str] = field(default_factory=dict)


def selected(selector: dict[str, Any], labels: dict[str, str]) -> bool:
    """Whether a label selector matches. An empty selector matches everything."""
    wanted = selector.get("matchLabels") or {}
    return wanted.items() <= labels.items() and all(
        _expression(expression, labels) for expression in selector.get("matchExpressions") or []
    )


def _expression(expression: dict[str, Any], labels: dict[str, str]) -> bool:
    assert expression["operator"] == "In", expression
    return labels.get(expression["key"]) in expression["values"]


def policies_of(policies: list[Policy], pod: Pod) -> list[Policy]:
    """The policies that select a pod."""
    return [
        policy
        for policy in policies
        if policy["metadata"]["namespace"] == pod.namespace and selected(policy["spec"]["podSelector"], pod.labels)
    ]


def allowed(policies: list[Policy], source: Pod | str, target: Pod | str, port: int, protocol: str = "TCP") -> bool:
    """Whether a connection from `source` to `target` is allowed. Each is a pod or an external address."""
    leaves = isinstance(source, str) or _side(policies, source, target, "Egress", "to", (protocol, port))
    return leaves and (isinstance(target, str) or _side(policies, target, source, "Ingress", "from", (protocol, port)))


def _side(policies: list[Policy], pod: Pod, other: Pod | str, kind: str, peers: str, port: tuple[str, int]) -> bool:
    concerned = [p["spec"] for p in policies_of(policies, pod) if kind in p["spec"]["policyTypes"]]
    rules = [rule for spec in concerned for rule in spec.get(kind.lower()) or []]
    return not concerned or any(
        _port(rule.get("ports"), port) and _peer(rule.get(peers), other, pod.namespace) for rule in rules
    )


def _port(ports: list[dict[str, Any]] | None, port: tuple[str, int]) -> bool:
    return not ports or port in {(entry.get("protocol", "TCP"), entry["port"]) for entry in ports}


def _peer(peers: list[dict[str, Any]] | None, other: Pod | str, own_namespace: str) -> bool:
    if not peers:
        return True
    if isinstance(other, str):
        return any("ipBlock" in peer and _block(peer["ipBlock"], other) for peer in peers)
    return any("ipBlock" not in peer and _pod(peer, other, own_namespace) for peer in peers)


def _pod(peer: dict[str, Any], pod: Pod, own_namespace: str) -> bool:
    if "namespaceSelector" in peer:
        here = selected(peer["namespaceSelector"], {"kubernetes.io/metadata.name": pod.namespace})
    else:
        here = pod.namespace == own_namespace
    return here and selected(peer.get("podSelector") or {}, pod.labels)


def _block(block: dict[str, Any], address: str) -> bool:
    ip = ip_address(address)
    networks = [ip_network(block["cidr"])], map(ip_network, block.get("except") or [])
    inside, left_out = (any(ip.version == n.version and ip in n for n in group) for group in networks)
    return inside and not left_out
