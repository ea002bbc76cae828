"""The nodes of a kind cluster: which they are, what they lack, and what may come over them."""

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from kubernetes import client, watch
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from support.faults import kubectl
from support.waiting import wait_for

GPU = "nvidia.com/gpu"
CONTROL_PLANE = "node-role.kubernetes.io/control-plane"


def workers(kubernetes: client.CoreV1Api) -> list[str]:
    """Names of the nodes besides the control plane."""
    return [node.metadata.name for node in kubernetes.list_node(label_selector=f"!{CONTROL_PLANE}").items]


@contextmanager
def drained(name: str) -> Iterator[None]:
    """Drain a node, as for its maintenance."""
    try:
        kubectl("drain", name, "--ignore-daemonsets", "--delete-emptydir-data", "--force", "--timeout=240s")
        yield
    finally:
        kubectl("uncordon", name)


@contextmanager
def lost(name: str) -> Iterator[None]:
    """Kill a node, as when its machine loses power; it starts again in the end."""
    try:
        subprocess.run(["docker", "kill", name], check=True, capture_output=True)
        yield
    finally:
        subprocess.run(["docker", "start", name], check=True, capture_output=True)
        kubectl("wait", "--for=condition=Ready", f"node/{name}", "--timeout=180s")


def set_gpus(kubernetes: client.CoreV1Api, node: str, number: int | None) -> None:
    """Enter GPUs in a node's capacity, as a device plugin would; None removes the entry."""
    change = {"op": "remove"} if number is None else {"op": "add", "value": str(number)}
    path = GPU.replace("/", "~1")
    places = [f"/status/{kind}/{path}" for kind in ("capacity", "allocatable")]
    kubernetes.patch_node_status(node, [{"path": place, **change} for place in places])


@contextmanager
def gpu_node(kubernetes: client.CoreV1Api, name: str, label: str) -> Iterator[None]:
    """Make a node look like one with a GPU: capacity, label and taint."""
    try:
        set_gpus(kubernetes, name, 1)
        kubectl("label", "node", name, f"accelerator={label}", "--overwrite")
        kubectl("taint", "node", name, f"{GPU}=present:NoSchedule", "--overwrite")
        yield
    finally:
        set_gpus(kubernetes, name, None)
        kubectl("label", "node", name, "accelerator-")
        kubectl("taint", "node", name, f"{GPU}-")


def nodes_of_stages(kubernetes: client.CoreV1Api, seen: dict[str, set[str]]) -> None:
    """Write down the nodes of all stage pods by task id, in a thread that never ends."""

    def listen() -> None:
        while True:
            with suppress(ApiException, HTTPError):
                stages = {"namespace": "wakee", "label_selector": "wakee.io/task-id"}
                for event in watch.Watch().stream(kubernetes.list_namespaced_pod, timeout_seconds=60, **stages):
                    pod = event["object"]
                    if pod.spec.node_name:
                        seen.setdefault(pod.metadata.labels["wakee.io/task-id"], set()).add(pod.spec.node_name)

    threading.Thread(target=listen, daemon=True).start()


@contextmanager
def pod_with_gpu(kubernetes: client.CoreV1Api, image: str) -> Iterator[None]:
    """Occupy a GPU of a node by another pod."""
    resources = {"requests": {"cpu": "10m", GPU: "1"}, "limits": {"memory": "64Mi", GPU: "1"}}
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "sleep",
        "image": image,
        "command": ["sleep", "3600"],
        "resources": resources,
        "securityContext": security,
    }
    spec = {
        "tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 10001, "seccompProfile": {"type": "RuntimeDefault"}},
        "terminationGracePeriodSeconds": 0,
        "containers": [container],
    }
    name = "gpu-taken"
    kubernetes.create_namespaced_pod("wakee", {"metadata": {"name": name}, "spec": spec})
    try:
        wait_for(lambda: kubernetes.read_namespaced_pod(name, "wakee").status.phase == "Running", 90, f"{name} runs")
        yield
    finally:
        kubernetes.delete_namespaced_pod(name, "wakee", grace_period_seconds=0)
