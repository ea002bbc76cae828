"""What is left of a stage: pods that failed, for people to look at, never one that could still run; and words."""

from datetime import UTC, datetime, timedelta
from unittest.mock import Mock

import pytest
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.bases.hook import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowFailException
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException


def pod(phase, exit_code=None, killed_for=None, evicted_for=None):
    terminated = None if exit_code is None else k8s.V1ContainerStateTerminated(exit_code=exit_code, reason=killed_for)
    base = k8s.V1ContainerStatus(
        name="airflow-stage",
        image="",
        image_id="",
        ready=False,
        restart_count=0,
        state=k8s.V1ContainerState(terminated=terminated),
    )
    reason = "Evicted" if evicted_for else None
    statuses = [] if phase == "Pending" or evicted_for else [base]
    status = k8s.V1PodStatus(phase=phase, container_statuses=statuses, reason=reason, message=evicted_for)
    return k8s.V1Pod(metadata=k8s.V1ObjectMeta(name="a-pod"), spec=k8s.V1PodSpec(containers=[]), status=status)


@pytest.fixture
def fine_tune(dag_bag, monkeypatch):
    """The task, its provider reduced to making a pod, and its clients."""
    monkeypatch.setattr(KubernetesPodOperator, "get_or_create_pod", lambda *_: "the new pod")
    task = dag_bag.dags["model_retrain"].get_task("fine_tune")
    for name in ("client", "hook", "pod_manager"):
        monkeypatch.setitem(task.__dict__, name, Mock())
    return task


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
def test_what_is_deleted(fine_tune, left, deleted):
    fine_tune.hook.get_pod.side_effect = ApiException(status=404)

    fine_tune.process_pod_deletion(left)

    assert fine_tune.pod_manager.delete_pod.called is deleted


@pytest.mark.parametrize(
    ("seen", "looks"),
    [
        pytest.param([pod("Running"), ApiException(status=500), ApiException(status=404)], 3, id="until it is gone"),
        pytest.param([pod("Running"), pod("Running", exit_code=143)], 2, id="until its own container has ended"),
        pytest.param([pod("Running")] * 999, 151, id="no longer than its grace period and 30 s"),
    ],
)
def test_the_end_of_what_is_deleted_is_waited_for(fine_tune, monkeypatch, seen, looks):
    """One look a second, on a clock that only sleeping moves."""
    clock = Mock(now=0.0)
    monkeypatch.setattr("tenacity.time", Mock(monotonic=lambda: clock.now))
    monkeypatch.setattr("tenacity.nap.time.sleep", lambda seconds: setattr(clock, "now", clock.now + seconds))
    fine_tune.hook.get_pod.side_effect = seen

    fine_tune.process_pod_deletion(pod("Running"))

    assert fine_tune.hook.get_pod.call_count == looks


@pytest.mark.parametrize(
    ("left", "error", "says"),
    [
        pytest.param(pod("Failed", 137, killed_for="OOMKilled"), AirflowException, "its limit of 8Gi", id="memory"),
        pytest.param(
            pod("Failed", 137, killed_for="OOMKilled"),
            AirflowException,
            "Raise WAKEE_STAGE_MEMORY_FINE_TUNE",
            id="more",
        ),
        pytest.param(pod("Failed", evicted_for="Usage exceeds."), AirflowException, "Usage exceeds.", id="evicted"),
        pytest.param(pod("Failed", 1), AirflowException, "returned a failure", id="by itself"),
        pytest.param(pod("Failed", 2), AirflowFailException, "returned a failure", id="for good"),
    ],
)
def test_what_is_said(fine_tune, left, error, says):
    fine_tune.pod_manager.read_pod.return_value = left
    fine_tune.pod_manager.read_pod_events.return_value.items = []

    with pytest.raises(error, match=says) as raised:
        fine_tune.cleanup(left, left)

    assert type(raised.value) is error


NO_GPU = "0/1 nodes are available: 1 Insufficient nvidia.com/gpu."
NO_SECRET = 'secret "wakee-secrets" not found'


def unscheduled():
    pending = pod("Pending")
    condition = k8s.V1PodCondition(type="PodScheduled", status="False", reason="Unschedulable", message=NO_GPU)
    pending.status.conditions = [condition]
    return pending


def unconfigured():
    pending = pod("Pending")
    pending.spec.node_name = "a-node"
    waiting = k8s.V1ContainerStateWaiting(reason="CreateContainerConfigError", message=NO_SECRET)
    pending.status.container_statuses = [pod("Running").status.container_statuses[0]]
    pending.status.container_statuses[0].state.waiting = waiting
    return pending


@pytest.mark.parametrize(
    ("present", "says"),
    [
        pytest.param(unscheduled(), f"did not start: {NO_GPU} The pod requests 1 cpu, 8Gi memory,", id="no node"),
        pytest.param(unscheduled(), "lower WAKEE_STAGE_CPU_FINE_TUNE or WAKEE_STAGE_MEMORY_REQUEST_FINE", id="remedy"),
        pytest.param(unconfigured(), f"CreateContainerConfigError: {NO_SECRET}. See docs/faq.md", id="no Secret"),
        pytest.param(pod("Running"), "returned a failure", id="it has started since"),
        pytest.param(ApiException(status=404), "returned a failure", id="it is gone"),
    ],
)
def test_what_is_said_of_a_pod_that_did_not_start(fine_tune, present, says):
    """The provider hands over what it read when the pod was new."""
    fine_tune.pod_manager.read_pod.return_value = pod("Pending")
    fine_tune.hook.get_pod.side_effect = [present, ApiException(status=404)]
    fine_tune.pod_manager.read_pod_events.return_value.items = []

    with pytest.raises(AirflowException) as raised:
        fine_tune.cleanup(pod("Pending"), pod("Pending"))

    assert says in str(raised.value)
    assert fine_tune.pod_manager.delete_pod.called


def test_gpus_have_a_remedy_of_their_own(fine_tune, monkeypatch):
    monkeypatch.setitem(fine_tune.container_resources.requests, "nvidia.com/gpu", "1")
    fine_tune.pod_manager.read_pod.return_value = pod("Pending")
    fine_tune.hook.get_pod.side_effect = [unscheduled(), ApiException(status=404)]
    fine_tune.pod_manager.read_pod_events.return_value.items = []

    with pytest.raises(AirflowException, match=r"1 nvidia.com/gpu\. .*WAKEE_GPU_COUNT=0 trains on the CPU"):
        fine_tune.cleanup(pod("Pending"), pod("Pending"))


def failed(name, made, ended=None):
    """A pod that failed; days since it was made, and since it ended (an evicted one does not say)."""
    left = pod("Failed", exit_code=1) if ended is not None else pod("Failed", evicted_for="Usage exceeds.")
    left.metadata = k8s.V1ObjectMeta(name=name, creation_timestamp=datetime.now(UTC) - timedelta(days=made))
    if ended is not None:
        left.status.container_statuses[0].state.terminated.finished_at = datetime.now(UTC) - timedelta(days=ended)
    return left


CONTEXT = {"ti": Mock(dag_id="model_retrain", task_id="fine_tune")}


def test_what_failed_long_ago_is_deleted(fine_tune):
    left = [failed("old", 9, 8), failed("long", 9, 6), failed("new", 1, 0), failed("evicted", 8), failed("lately", 6)]
    fine_tune.client.list_namespaced_pod.return_value.items = left

    assert fine_tune.get_or_create_pod(Mock(), CONTEXT) == "the new pod"

    deleted = [call.args[0].metadata.name for call in fine_tune.pod_manager.delete_pod.call_args_list]
    assert deleted == ["old", "evicted"]
    fine_tune.client.list_namespaced_pod.assert_called_once_with(
        "wakee",
        label_selector="wakee.io/dag-id=model_retrain,wakee.io/task-id=fine_tune",
        field_selector="status.phase=Failed",
    )


def test_old_failures_that_cannot_be_deleted_stop_nothing(fine_tune):
    fine_tune.client.list_namespaced_pod.side_effect = ApiException(status=403)

    assert fine_tune.get_or_create_pod(Mock(), CONTEXT) == "the new pod"


def test_the_result_of_an_earlier_trys_pod_is_taken_over(fine_tune, monkeypatch):
    """That pod has ended when a try finds it, so there is nothing to wait for."""
    monkeypatch.setattr(BaseHook, "get_connection", lambda _: Mock(extra_dejson={}))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setattr(KubernetesPodOperator, "get_or_create_pod", lambda *_: pod("Running", exit_code=0))
    fine_tune.hook.get_pod.return_value = pod("Running", exit_code=0)
    monkeypatch.setattr(KubernetesPodOperator, "trigger_reentry", lambda *_: {"status": "success", "epochs_run": 3})
    fine_tune.client.list_namespaced_pod.return_value.items = []
    new = pod("Pending")
    new.metadata.labels = {}
    monkeypatch.setattr(KubernetesPodOperator, "build_pod_request_obj", lambda *_, **__: new)
    instance = Mock(dag_id="model_retrain", task_id="fine_tune", start_date=datetime.now(UTC))

    result = fine_tune.execute({"ti": instance, "run_id": "a-run"})

    assert result == {"status": "success", "epochs_run": 3}
