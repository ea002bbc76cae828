"""Report why the pods of a DAG run are pending."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from kubernetes import client, config

from wakee.pending import PendingWatch

NAMESPACE = "wakee"
INTERVAL_SECONDS, PAUSE_SECONDS, TIMEOUT_SECONDS = 3, 10, 3


def pending_pods(dag_id: str) -> list[Any]:
    """List the pending stage pods of a DAG, of any run, in the cluster of KUBECONFIG."""
    found = _cluster().list_namespaced_pod(
        NAMESPACE,
        label_selector=f"wakee.io/dag-id={dag_id}",
        field_selector="status.phase=Pending",
        _request_timeout=TIMEOUT_SECONDS,
    )
    return list(found.items)


def list_pods(namespace: str) -> list[Any]:
    """List the pods of a namespace, in the cluster of KUBECONFIG."""
    return list(_cluster().list_namespaced_pod(namespace, _request_timeout=TIMEOUT_SECONDS).items)


@cache
def _cluster() -> client.CoreV1Api:
    settings = client.Configuration()
    config.load_kube_config(os.environ.get("KUBECONFIG"), client_configuration=settings)
    settings.retries = 0
    return client.CoreV1Api(client.ApiClient(settings))


@dataclass
class PendingPods:
    """The pending pods of one DAG run. Without access to the Kubernetes API, nothing is reported."""

    dag_id: str
    run_id: str
    pods: Callable[[str], list[Any]] = pending_pods
    clock: Callable[[], float] = time.monotonic
    _watch: PendingWatch = field(default_factory=PendingWatch)
    _next: float = float("-inf")

    def news(self) -> list[tuple[str, str]]:
        """Return task id and reason of each pod to report. Call this about once a second."""
        now = self.clock()
        if now < self._next:
            return []
        try:
            pods = self.pods(self.dag_id)
        except Exception:  # no kubeconfig, cluster or permission: follow the run without pending pods
            self._next = self.clock() + PAUSE_SECONDS
            return []
        self._next = now + INTERVAL_SECONDS
        reasons = [(_task(pod), self._watch.news(pod, now)) for pod in pods if _run(pod) == self.run_id]
        return [(task_id, reason) for task_id, reason in reasons if reason]


def _task(pod: Any) -> str:
    return str(pod.metadata.labels.get("wakee.io/task-id", pod.metadata.name))


def _run(pod: Any) -> str | None:
    """The exact run id. In the label, ids that are long or have special characters are shortened with a hash."""
    variables = [variable for container in pod.spec.containers for variable in container.env or []]
    return next((variable.value for variable in variables if variable.name == "WAKEE_RUN_ID"), None)
