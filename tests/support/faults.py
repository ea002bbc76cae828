"""Fault injection. Each fault is a context manager: the fault is active inside it, and is reverted after it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psycopg2
from kubernetes import client
from kubernetes.client import V1DeleteOptions

from support.waiting import wait_for
from wakee_tools.airflow import sandbox

WAKEE = str(Path(sys.executable).with_name("wakee"))
NAMESPACE = "wakee"
PORTS = {
    "unavailable": 9001,
    "silent": 9002,
    "nonsense": 9003,
    "cut": 9004,
    "limited": 9005,
    "slow": 9006,
    "severed": 9007,
    "gone": 9999,
}
"""`wakee_sandbox.fault_server.MODES`, and a port without a listener. `slow` and `severed` are for R2 only."""
POLICY_V1 = 22
"""Minor version of Kubernetes since which evictions use policy/v1."""
DAG_READERS = ("airflow-scheduler", "airflow-dag-processor", "airflow-triggerer")
"""The components whose environment variables configure stage pods."""


@contextmanager
def out_of_order(kubernetes: client.CoreV1Api, service: str, mode: str) -> Iterator[None]:
    """Redirect new connections to the Service to the fault. Existing connections are not affected."""
    before = kubernetes.read_namespaced_service(service, NAMESPACE).spec
    fault_server = {"app.kubernetes.io/name": "fault-server"}
    try:
        _lead(kubernetes, service, fault_server, {port.port: PORTS[mode] for port in before.ports})
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


@contextmanager
def pod_killed(kubernetes: client.CoreV1Api, name: str) -> Iterator[None]:
    """Delete the pod without a grace period."""
    kubernetes.delete_namespaced_pod(name, NAMESPACE, body=V1DeleteOptions(grace_period_seconds=0))
    yield


@contextmanager
def pod_evicted(_kubernetes: client.CoreV1Api, name: str) -> Iterator[None]:
    """Evict the pod, as when its node is drained: SIGTERM and a grace period."""
    newer = int(client.VersionApi().get_code().minor.rstrip("+")) >= POLICY_V1
    eviction = {
        "apiVersion": "policy/v1" if newer else "policy/v1beta1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": NAMESPACE},
    }
    place = f"/api/v1/namespaces/{NAMESPACE}/pods/{name}/eviction"
    kubectl("create", "--raw", place, "-f", "-", text=json.dumps(eviction))
    yield


@contextmanager
def sidecar_killed(_kubernetes: client.CoreV1Api, name: str) -> Iterator[None]:
    """Kill the XCom sidecar before there is a result to read. Its shell ends on SIGINT."""
    kubectl("exec", "-n", NAMESPACE, name, "-c", "airflow-xcom-sidecar", "--", "sh", "-c", "kill -INT 1")
    yield


@contextmanager
def component_killed(kubernetes: client.CoreV1Api, name: str) -> Iterator[None]:
    """Delete the pod of an Airflow component, which is then recreated."""
    label = f"component={name.removeprefix('airflow-')}"
    for pod in kubernetes.list_namespaced_pod("airflow", label_selector=label).items:
        now = V1DeleteOptions(grace_period_seconds=0)
        kubernetes.delete_namespaced_pod(pod.metadata.name, "airflow", body=now)
    kubectl("rollout", "status", f"deployment/{name}", "-n", "airflow", "--timeout=180s")
    yield


@contextmanager
def switched(address: str, mode: str, path: str) -> Iterator[None]:
    """Switch on a fault of a sandbox service, for requests whose path contains `path`."""
    switch = f"{address}/_fault"
    try:
        httpx.post(switch, json={"mode": mode, "path": path}).raise_for_status()
        yield
    finally:
        httpx.post(switch, json={"mode": "none"}).raise_for_status()


@contextmanager
def scaled_to_nothing(namespace: str, workload: str) -> Iterator[None]:
    """Scale a Deployment or StatefulSet to zero. Afterwards, wait until its pod is ready."""

    def scale(replicas: int) -> None:
        kubectl("scale", workload, "-n", namespace, f"--replicas={replicas}")
        kubectl("rollout", "status", workload, "-n", namespace, "--timeout=180s")

    try:
        scale(0)
        yield
    finally:
        scale(1)


@contextmanager
def connections_taken(_kubernetes: client.CoreV1Api, _pod: str) -> Iterator[None]:
    """Occupy every connection of the database."""
    with ExitStack() as held:
        with suppress(psycopg2.OperationalError):
            while True:
                held.enter_context(closing(psycopg2.connect(sandbox.database().url.get_secret_value())))
        yield


@contextmanager
def process_restarted(name: str) -> Iterator[None]:
    """Kill one of Kubernetes' own processes and restart it."""
    subprocess.run([WAKEE, "cluster", "restart", name], check=True, capture_output=True, timeout=60)
    yield


@contextmanager
def setting(kubernetes: client.CoreV1Api, **values: str) -> Iterator[None]:
    """Change values in the stages' Secret, for pods that start inside this context."""
    before = kubernetes.read_namespaced_secret("wakee-secrets", NAMESPACE).data
    try:
        kubernetes.patch_namespaced_secret("wakee-secrets", NAMESPACE, {"stringData": values})
        yield
    finally:
        after = {name: before.get(name) for name in values}
        kubernetes.patch_namespaced_secret("wakee-secrets", NAMESPACE, {"data": after})


@contextmanager
def installed_with(**variables: str) -> Iterator[None]:
    """Run Airflow's components with other environment variables."""
    try:
        set_variables(*(f"{name}={value}" for name, value in variables.items()))
        yield
    finally:
        set_variables(*(f"{name}-" for name in variables))


def set_variables(*variables: str) -> None:
    """Set (`NAME=value`) or remove (`NAME-`) variables of Airflow's components, and wait for their new pods."""
    kubectl("set", "env", "-n", "airflow", *(f"deployment/{name}" for name in DAG_READERS), *variables)
    for name in DAG_READERS:
        kubectl("rollout", "status", f"deployment/{name}", "-n", "airflow", "--timeout=180s")


def kubectl(*arguments: str, text: str | None = None) -> None:
    """Run kubectl, with a text as its standard input."""
    subprocess.run(["kubectl", *arguments], input=text, text=True, check=True, capture_output=True, timeout=300)
