"""Stage pods as a Kubernetes API would return them, and such an API."""

import copy
from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

from kubernetes.client import ApiClient
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException

STAGE, SIDECAR = "airflow-stage", "airflow-xcom-sidecar"
NOW = datetime.now(UTC)
EVICTED = ("EvictionByEvictionAPI", "Eviction API: evicting")
"""Reason and message of the condition DisruptionTarget after an eviction through the API, as `kubectl drain` makes."""
TAINTED = ("DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")


def stage_pod(
    phase="Running",
    exit_code=None,
    ended_for="Error",
    ended=NOW,
    reason=None,
    message=None,
    target=None,
    deleted=None,
    node_lost=False,
):
    """A pod.

    Args:
        phase: Phase of the pod.
        exit_code: Exit code of the stage's container, if it has ended.
        ended_for: Reason of that end.
        ended: Time of that end.
        reason: Reason of the pod's status.
        message: Message of the pod's status.
        target: Reason and message of the condition DisruptionTarget.
        deleted: Time of the deletion, with a grace period of 30 s.
        node_lost: Whether the node controller has marked the pod as not ready.
    """
    conditions = [k8s.V1PodCondition(type="Ready", status="False" if node_lost else "True")]
    if target:
        conditions.append(
            k8s.V1PodCondition(
                type="DisruptionTarget", status="True", reason=target[0], message=target[1], last_transition_time=NOW
            )
        )
    over = k8s.V1ContainerStateTerminated(exit_code=exit_code or 0, reason=ended_for, finished_at=ended)
    running = k8s.V1ContainerState(running=k8s.V1ContainerStateRunning())
    stage = running if exit_code is None else k8s.V1ContainerState(terminated=over)
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(
            name="a-pod",
            namespace="wakee",
            deletion_timestamp=deleted and deleted + timedelta(seconds=30),
            deletion_grace_period_seconds=30 if deleted else None,
        ),
        spec=k8s.V1PodSpec(containers=[k8s.V1Container(name=name) for name in (STAGE, SIDECAR)], node_name="a-node"),
        status=k8s.V1PodStatus(
            phase=phase,
            reason=reason,
            message=message,
            conditions=conditions,
            container_statuses=[_status(STAGE, stage), _status(SIDECAR, running)],
        ),
    )


def _status(name, state):
    return k8s.V1ContainerStatus(
        name=name, image="", image_id="", ready=state.running is not None, restart_count=0, state=state
    )


class PodApi(Mock):
    """A Kubernetes API. Each new pod gets the next life: each read is a step of it, and the last step stays.

    A step is a pod, or None if the pod is gone. The calls that change pods are in `changes`.
    """

    def __init__(self, *lives, **options):
        super().__init__(**options)
        self.lives, self.pods, self.changes = [list(life) for life in lives], {}, []
        self.api_client = ApiClient()
        self.list_namespaced_pod = lambda *_, **__: Mock(items=[])
        self.list_namespaced_event = lambda *_, **__: Mock(items=[], metadata=None)

    def _get_child_mock(self, **options):
        return Mock(**options)

    def create_namespaced_pod(self, body, namespace):
        name = body["metadata"]["name"]
        self.pods[name] = self.lives.pop(0)
        self.changes.append(("create", name))

    def read_namespaced_pod(self, name, namespace):
        life = self.pods[name]
        step = life.pop(0) if len(life) > 1 else life[0]
        if step is None:
            raise ApiException(status=404)
        present = copy.deepcopy(step)
        present.metadata.name = name
        return present

    def delete_namespaced_pod(self, name, namespace, grace_period_seconds=None, body=None):
        self.changes.append(("delete", name, grace_period_seconds))

    def patch_namespaced_pod(self, name, namespace, body):
        self.changes.append(("label", name, body["metadata"]["labels"]))
