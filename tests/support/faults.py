"""Putting a service of the sandbox out of order: its Kubernetes Service is led to the impostor, then back."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kubernetes import client

from support.waiting import wait_for

NAMESPACE = "wakee"
PORTS = {"unavailable": 9001, "silent": 9002, "nonsense": 9003, "cut": 9004, "limited": 9005, "gone": 9999}
"""`wakee_sandbox.impostor.MODES`, and a port that nobody listens on."""


@contextmanager
def out_of_order(kubernetes: client.CoreV1Api, service: str, mode: str) -> Iterator[None]:
    """Inside, new connections to the Service meet the fault; connections that exist go on."""
    before = kubernetes.read_namespaced_service(service, NAMESPACE).spec
    impostor = {"app.kubernetes.io/name": "impostor"}
    try:
        _lead(kubernetes, service, impostor, {port.port: PORTS[mode] for port in before.ports})
        yield
    finally:
        _lead(kubernetes, service, before.selector, {port.port: port.target_port for port in before.ports})


def _lead(kubernetes: client.CoreV1Api, service: str, selector: dict[str, str], targets: dict[int, Any]) -> None:
    ports = [{"port": port, "targetPort": target} for port, target in targets.items()]
    kubernetes.patch_namespaced_service(service, NAMESPACE, {"spec": {"selector": selector, "ports": ports}})
    pods = kubernetes.list_namespaced_pod(
        NAMESPACE, label_selector=",".join(f"{key}={value}" for key, value in selector.items())
    )
    addresses = {pod.status.pod_ip for pod in pods.items}

    def arrived() -> bool:
        subsets = kubernetes.read_namespaced_endpoints(service, NAMESPACE).subsets or []
        found = {(address.ip, port.port) for s in subsets for address in s.addresses or [] for port in s.ports}
        return bool(found) and found <= {(ip, port) for ip in addresses for port in targets.values()}

    wait_for(arrived, 30, f"the Service {service} leads to {selector}")
