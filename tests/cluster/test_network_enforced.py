"""Who reaches whom, tried from inside pods of each kind: what must be refused is refused, and only by our policies.

Every connection is first seen open: with the policies removed, each kind of pod reaches every target. Then the policies
come back, and only the rows of ALLOWED are left.
"""

import json
import subprocess
import uuid
from pathlib import Path

import pytest

from support.cluster import REPO
from support.faults import kubectl
from support.images import image_of
from support.waiting import wait_for

pytestmark = pytest.mark.usefixtures("on_kind")

PROBE = (REPO / "tests/support/network_probe.py").read_text()
REPORT = REPO / "reports/network.md"
INTERNET, NETWORK, ADDRESS = "wakee-test-internet", "203.0.113.0/24", "203.0.113.10"
"""A range that is nobody's and not private, for what the policies call the Internet."""
NODE = "wakee-control-plane"
PYTHON = "/opt/venv/bin/python3"
LISTENER = """
import socket, sys, threading, time
for port in sys.argv[1:]:
    listener = socket.create_server(("", int(port)))
    threading.Thread(target=lambda l=listener: [l.accept()[0].close() for _ in iter(int, 1)], daemon=True).start()
time.sleep(3600)
"""
SANDBOX = {
    "NeonDB": ["neondb.wakee", 5432],
    "R2": ["r2.wakee", 8333],
    "Hub": ["hub.wakee", 8080],
    "MLflow": ["mlflow.wakee", 5000],
    "API": ["api.wakee", 8000],
    "mail": ["mail.wakee", 1025],
}
SOURCES = {
    "stage (drift)": ("wakee", {"app.kubernetes.io/name": "wakee-drift"}),
    "stage (train)": ("wakee", {"app.kubernetes.io/name": "wakee-train"}),
    "stage (health)": ("wakee", {"app.kubernetes.io/name": "wakee-health"}),
    "schema migration": ("wakee", {"app.kubernetes.io/name": "wakee-db-upgrade"}),
    "sandbox": ("wakee", {"wakee.io/sandbox": "true"}),
    "stranger in wakee": ("wakee", {"app": "stranger"}),
    "stranger in airflow": ("airflow", {"app": "stranger"}),
    "scheduler": ("airflow", {"tier": "airflow", "component": "scheduler"}),
    "triggerer": ("airflow", {"tier": "airflow", "component": "triggerer"}),
    "API server": ("airflow", {"tier": "airflow", "component": "api-server"}),
    "DAG processor": ("airflow", {"tier": "airflow", "component": "dag-processor"}),
    "Airflow's migration": ("airflow", {"tier": "airflow", "component": "run-airflow-migrations"}),
}
"""Namespace and labels. Without `release`, no Service leads to them."""
STAGE = {*SANDBOX, "Pushgateway", "Internet 443", "Internet 5432"}
AIRFLOW = {*SANDBOX, "Airflow's API", "Airflow's database", "Internet 443", "Internet 5432", "Internet 587"}
ALLOWED = {
    "stage (drift)": STAGE,
    "stage (train)": STAGE,
    "stage (health)": STAGE,
    "schema migration": {*SANDBOX, "Internet 5432"},
    "sandbox": set(SANDBOX),
    "stranger in wakee": set(),
    "stranger in airflow": set(),
    "scheduler": AIRFLOW | {"Kubernetes' API"},
    "triggerer": AIRFLOW | {"Kubernetes' API"},
    "API server": AIRFLOW,
    "DAG processor": AIRFLOW,
    "Airflow's migration": {"Airflow's API", "Airflow's database", "NeonDB", "Internet 5432"},
}
"""The metadata database may have any address, so Airflow's pods reach port 5432 everywhere, NeonDB's too."""


def pod(name, namespace, labels, image, **container):
    """A pod that meets the restricted profile."""
    restricted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    user = {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}}
    resources = {"requests": {"cpu": "5m", "memory": "32Mi"}, "limits": {"memory": "128Mi"}}
    base = {"name": "base", "image": image, "securityContext": restricted, "resources": resources, **container}
    metadata = {"name": name, "namespace": namespace, "labels": labels | {"wakee.io/probe": "true"}}
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": user,
        "containers": [base],
    }
    return {"metadata": metadata, "spec": spec}


@pytest.fixture(scope="module")
def image():
    return image_of("drift")


@pytest.fixture(scope="module")
def internet(image):
    """A container on a network of its own, which the node reaches as it would reach the Internet."""
    docker("network", "create", "--subnet", NETWORK, INTERNET)
    try:
        listener = ["--user", "0", "--entrypoint", PYTHON, image, "-c", LISTENER, "443", "5432", "587", "25"]
        docker("run", "-d", "--name", INTERNET, "--network", INTERNET, "--ip", ADDRESS, *listener)
        docker("network", "connect", INTERNET, NODE)
        yield {f"Internet {port}": [ADDRESS, port] for port in (443, 5432, 587, 25)}
    finally:
        subprocess.run(["docker", "rm", "-f", INTERNET], check=False, capture_output=True)
        subprocess.run(["docker", "network", "disconnect", "-f", INTERNET, NODE], check=False, capture_output=True)
        docker("network", "rm", INTERNET)


@pytest.fixture(scope="module")
def other_stage(kubernetes, image):
    """The address of a running stage pod that listens."""
    name = f"probe-target-{uuid.uuid4().hex[:6]}"
    listens = {"command": [PYTHON, "-c", LISTENER, "8080"]}
    kubernetes.create_namespaced_pod(
        "wakee", pod(name, "wakee", {"app.kubernetes.io/name": "wakee-train"}, image, **listens)
    )
    wait_for(lambda: kubernetes.read_namespaced_pod(name, "wakee").status.phase == "Running", 120, f"{name} runs")
    yield kubernetes.read_namespaced_pod(name, "wakee").status.pod_ip
    kubernetes.delete_namespaced_pod(name, "wakee", grace_period_seconds=0)


@pytest.fixture(scope="module")
def targets(kubernetes, internet, other_stage):
    (node,) = [a.address for a in kubernetes.list_node().items[0].status.addresses if a.type == "InternalIP"]
    return {
        **SANDBOX,
        "Pushgateway": ["pushgateway.wakee", 9091],
        "Airflow's API": ["airflow-api-server.airflow", 8080],
        "Airflow's database": ["airflow-database.airflow", 5432],
        "Kubernetes' API": ["kubernetes.default", 443],
        "another stage": [other_stage, 8080],
        "kubelet": [node, 10250],
        "etcd": [node, 2379],
        **internet,
    }


@pytest.fixture(scope="module")
def reached(kubernetes, image, targets):
    """A function: from each kind of pod, the targets that accept, `settle` seconds after it started."""

    def probe(settle):
        names = {}
        variables = {"TARGETS": json.dumps(targets), "SETTLE_SECONDS": str(settle)}
        env = [{"name": name, "value": value} for name, value in variables.items()]
        for source, (namespace, labels) in SOURCES.items():
            names[source] = f"probe-{uuid.uuid4().hex[:8]}"
            body = pod(names[source], namespace, labels, image, command=[PYTHON, "-c", PROBE], env=env)
            kubernetes.create_namespaced_pod(namespace, body)
        try:
            return {source: _accepted(kubernetes, names[source], SOURCES[source][0]) for source in SOURCES}
        finally:
            for source, name in names.items():
                kubernetes.delete_namespaced_pod(name, SOURCES[source][0], grace_period_seconds=0)

    return probe


def _accepted(kubernetes, name, namespace):
    def ended():
        return kubernetes.read_namespaced_pod(name, namespace).status.phase in {"Succeeded", "Failed"}

    wait_for(ended, 180, f"the end of {name}", 1)
    log = kubernetes.read_namespaced_pod_log(name, namespace, _preload_content=False).data.decode()
    return {target for target, accepts in json.loads(log.splitlines()[-1]).items() if accepts}


@pytest.fixture(scope="module")
def seen(reached):
    """What each kind of pod reaches without the policies, and with them."""
    for namespace in ("wakee", "airflow"):
        kubectl("delete", "networkpolicy", "--all", "-n", namespace)
    try:
        without = reached(settle=5)
    finally:
        kubectl("apply", "-k", str(REPO / ".build/kind"), "--selector", "!wakee.io/wave")
    return without, reached(settle=5)


def docker(*arguments):
    subprocess.run(["docker", *arguments], check=True, capture_output=True, timeout=120)


def test_everything_is_open_without_the_policies(seen, targets):
    without, _ = seen
    assert {source: set(targets) - found for source, found in without.items() if found != set(targets)} == {}


def test_only_what_is_named_is_allowed_with_them(seen, targets):
    _, found = seen
    write_report(found, targets)
    assert found == ALLOWED


def write_report(found, targets):
    """The table (from, to, allowed) for people."""
    rows = [f"| {source} | {' | '.join('yes' if t in found[source] else '-' for t in targets)} |" for source in SOURCES]
    table = "\n".join([f"| from \\ to | {' | '.join(targets)} |", "|---" * (len(targets) + 1) + "|", *rows])
    Path(REPORT).parent.mkdir(exist_ok=True)
    REPORT.write_text(table + "\n")
    print(f"\n{table}")
