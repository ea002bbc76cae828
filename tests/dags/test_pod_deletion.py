"""Which pods are left behind: those that failed, for people to look at; never one that could still run."""

from unittest.mock import Mock

import pytest
from kubernetes.client import models as k8s


def pod(phase, exit_code=None):
    terminated = None if exit_code is None else k8s.V1ContainerStateTerminated(exit_code=exit_code)
    base = k8s.V1ContainerStatus(
        name="base",
        image="",
        image_id="",
        ready=False,
        restart_count=0,
        state=k8s.V1ContainerState(terminated=terminated),
    )
    status = k8s.V1PodStatus(phase=phase, container_statuses=[] if phase == "Pending" else [base])
    return k8s.V1Pod(metadata=k8s.V1ObjectMeta(name="a-pod"), status=status)


@pytest.mark.parametrize(
    ("left", "deleted"),
    [
        pytest.param(pod("Pending"), True, id="never got a node"),
        pytest.param(pod("Running"), True, id="did not end in time"),
        pytest.param(pod("Running", exit_code=0), True, id="succeeded, the sidecar not yet"),
        pytest.param(pod("Running", exit_code=1), False, id="failed, the sidecar not yet"),
        pytest.param(pod("Failed", exit_code=1), False, id="failed"),
        pytest.param(pod("Succeeded", exit_code=0), True, id="succeeded"),
    ],
)
def test_what_is_deleted(dag_bag, left, deleted):
    task = dag_bag.dags["model_retrain"].get_task("fine_tune")
    task.__dict__["pod_manager"] = manager = Mock()

    task.process_pod_deletion(left)

    assert manager.delete_pod.called is deleted
    del task.__dict__["pod_manager"]
