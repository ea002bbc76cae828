"""Why a pod is pending: read from the pod, logged once per reason by whoever watches it, never without a cause."""

import asyncio
import re
from datetime import UTC, datetime
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import pytest
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
from airflow.providers.cncf.kubernetes.utils.pod_manager import PodLaunchTimeoutException
from airflow.sdk.bases.hook import BaseHook
from airflow.sdk.exceptions import TaskDeferred
from airflow.sdk.module_loading import import_string
from kubernetes.client import models as k8s

from wakee import pods
from wakee.pending import PendingWatch, pending_reason
from wakee.pods import AsyncStagePodManager, StagePodManager, StagePodTrigger, stage_trigger

REPO = Path(__file__).parents[2]
NO_CPU = "0/1 nodes are available: 1 Insufficient cpu."
NO_MEMORY = "0/1 nodes are available: 1 Insufficient memory."
NOT_FOUND = 'failed to pull and unpack image "wakee/drift:1": not found'


def pod(*waiting, phase="Pending", unscheduled=None, node="a-node", conditions=None, deleted=None):
    """A pod; `waiting` are the reason and message of its containers, `unscheduled` is the scheduler's message."""
    if unscheduled:
        node = None
        conditions = [
            k8s.V1PodCondition(type="PodScheduled", status="False", reason="Unschedulable", message=unscheduled)
        ]
    names = ["airflow-stage", "airflow-xcom-sidecar"]
    statuses = [container(name, *state) for name, state in zip(names, waiting, strict=False)]
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(name="a-pod", namespace="wakee", deletion_timestamp=deleted),
        spec=k8s.V1PodSpec(containers=[], node_name=node),
        status=k8s.V1PodStatus(phase=phase, conditions=conditions, container_statuses=statuses or None),
    )


def container(name, reason, message=None):
    state = k8s.V1ContainerState(waiting=k8s.V1ContainerStateWaiting(reason=reason, message=message))
    return k8s.V1ContainerStatus(name=name, image="", image_id="", ready=False, restart_count=0, state=state)


CREATING = ("ContainerCreating",)
GATED = k8s.V1PodCondition(type="PodScheduled", status="False", reason="SchedulingGated")


@pytest.mark.parametrize(
    ("seen", "reason"),
    [
        pytest.param(pod(unscheduled=NO_CPU), NO_CPU, id="no room"),
        pytest.param(pod(unscheduled="two\n lines"), "two lines", id="one line"),
        pytest.param(pod(node=None, conditions=[GATED]), "SchedulingGated", id="no message"),
        pytest.param(pod(node=None), "the Kubernetes scheduler has not processed it yet", id="no scheduler"),
        pytest.param(pod(), "node a-node has not started it yet", id="no kubelet"),
        pytest.param(pod(CREATING, CREATING), "container airflow-stage: ContainerCreating", id="starting"),
        pytest.param(
            pod(CREATING, ("CreateContainerConfigError", 'secret "wakee-secrets" not found')),
            'container airflow-xcom-sidecar: CreateContainerConfigError: secret "wakee-secrets" not found',
            id="the one that cannot start comes first",
        ),
        pytest.param(
            pod(("ErrImagePull", NOT_FOUND)),
            f"container airflow-stage: ErrImagePull: {NOT_FOUND}",
            id="image not there",
        ),
        pytest.param(
            pod(("ImagePullBackOff", f'Back-off pulling image "wakee/drift:1": ErrImagePull: {NOT_FOUND}')),
            f"container airflow-stage: ErrImagePull: {NOT_FOUND}",
            id="the same between two attempts",
        ),
        pytest.param(
            pod(("ImagePullBackOff", 'Back-off pulling image "wakee/drift:1"')),
            "container airflow-stage: ErrImagePull",
            id="an old kubelet between two attempts",
        ),
        pytest.param(pod(phase="Running"), None, id="running"),
        pytest.param(pod(phase="Failed"), None, id="failed"),
        pytest.param(pod(unscheduled=NO_CPU, deleted=datetime.now(UTC)), None, id="about to be deleted"),
    ],
)
def test_the_reason(seen, reason):
    assert pending_reason(seen) == reason


@pytest.mark.parametrize(
    ("seen", "reported"),
    [
        pytest.param([NO_CPU] * 20, [(5, NO_CPU)], id="once"),
        pytest.param([NO_CPU] * 4 + [None] * 4 + [NO_CPU] * 4, [], id="not what goes away by itself"),
        pytest.param([NO_CPU] * 7 + [NO_MEMORY] * 9, [(5, NO_CPU), (12, NO_MEMORY)], id="again when it changes"),
        pytest.param(
            [NO_CPU] * 6 + [NO_MEMORY] * 6 + [NO_CPU] * 6,
            [(5, NO_CPU), (11, NO_MEMORY), (17, NO_CPU)],
            id="again when it changes back",
        ),
        pytest.param([NO_CPU] * 6 + [NO_MEMORY] * 2 + [NO_CPU] * 9, [(5, NO_CPU)], id="not after a moment of another"),
    ],
)
def test_when_a_reason_is_reported(seen, reported):
    """One look a second."""
    watch = PendingWatch()

    news = [
        (second, watch.news(pod(unscheduled=reason) if reason else pod(phase="Running"), second))
        for second, reason in enumerate(seen)
    ]

    assert [(second, reason) for second, reason in news if reason] == reported


def test_pods_are_distinguished():
    watch, first, second = PendingWatch(), pod(unscheduled=NO_CPU), pod(unscheduled=NO_CPU)
    second.metadata.name = "another-pod"
    watch.news(first, 0)
    watch.news(second, 3)

    assert watch.news(first, 5) == NO_CPU
    assert watch.news(second, 5) is None
    assert watch.news(second, 8) == NO_CPU


@pytest.fixture
def logged(monkeypatch, capsys):
    """The warnings that were logged, on a clock of which each look takes a second."""
    ticks = iter(range(1000))
    monkeypatch.setattr(pods, "time", Mock(monotonic=lambda: float(next(ticks))))
    return lambda: [line.strip() for line in re.findall(r"\[warning  \] (.*) \[wakee", capsys.readouterr().out)]


# A pod that got no room, then room, then misses its Secret, and runs in the end.
NO_SECRET = ("CreateContainerConfigError", 'secret "wakee-secrets" not found')
LIFE = [
    *[pod(unscheduled=NO_CPU)] * 8,
    *[pod(unscheduled=NO_MEMORY)] * 8,
    *[pod(CREATING, CREATING)] * 2,
    *[pod(NO_SECRET, CREATING)] * 8,
    pod(phase="Running"),
]
LINES = [
    f"Pod a-pod is pending: {NO_CPU}",
    f"Pod a-pod is pending: {NO_MEMORY}",
    'Pod a-pod is pending: container airflow-stage: CreateContainerConfigError: secret "wakee-secrets" not found',
]


def test_a_stage_logs_it_while_it_waits(dag_bag, logged, monkeypatch):
    """With the provider's own waiting."""
    task = dag_bag.dags["drift_detection_daily"].get_task("fetch_annotations")
    client = Mock(**{"read_namespaced_pod.side_effect": LIFE, "list_namespaced_event.return_value.items": []})
    monkeypatch.setitem(task.__dict__, "client", client)
    monkeypatch.setattr(task, "startup_check_interval_seconds", 0)
    monkeypatch.delitem(task.__dict__, "pod_manager", raising=False)

    task.await_pod_start(LIFE[0])

    assert isinstance(task.pod_manager, StagePodManager)
    assert logged() == LINES
    task.__dict__.pop("pod_manager")


def test_the_triggerer_logs_it_while_it_waits(logged):
    """With the provider's own trigger, up to the timeout of a pod that gets no node."""
    trigger = StagePodTrigger(**trigger_arguments(), schedule_timeout=1000, startup_check_interval=0)
    trigger.__dict__["hook"] = Mock(
        get_pod=AsyncMock(side_effect=[LIFE[0], *LIFE, LIFE[-1]]), watch_pod_events=no_events
    )

    asyncio.run(trigger._wait_for_pod_start())

    assert isinstance(trigger.pod_manager, AsyncStagePodManager)
    assert logged() == LINES


async def no_events(**_):
    await asyncio.sleep(3600)
    yield


def test_a_timeout_stays_a_timeout(logged):
    manager = AsyncStagePodManager(async_hook=Mock(get_pod=AsyncMock(return_value=LIFE[0])))

    with pytest.raises(PodLaunchTimeoutException, match="too long to be scheduled"):
        asyncio.run(manager.await_pod_start(LIFE[0], schedule_timeout=0))

    assert logged() == []


def trigger_arguments():
    return {
        "pod_name": "a-pod",
        "pod_namespace": "wakee",
        "trigger_start_time": datetime(2026, 1, 1, tzinfo=UTC),
        "base_container_name": "airflow-stage",
    }


def test_the_triggerer_makes_the_same_trigger_again():
    trigger = StagePodTrigger(**trigger_arguments(), schedule_timeout=77)

    name, arguments = trigger.serialize()

    assert import_string(name) is StagePodTrigger
    assert StagePodTrigger(**arguments).serialize() == (name, arguments)
    assert arguments["schedule_timeout"] == 77


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        pytest.param(f"/somewhere:{REPO}/dags/", StagePodTrigger, id="the triggerer finds our module"),
        pytest.param("/somewhere", KubernetesPodTrigger, id="it does not"),
        pytest.param("", KubernetesPodTrigger, id="no path"),
    ],
)
def test_our_trigger_only_where_it_can_be_imported(monkeypatch, path, kind):
    monkeypatch.setenv("PYTHONPATH", path)
    trigger = KubernetesPodTrigger(**trigger_arguments())

    assert type(stage_trigger(trigger)) is kind
    assert stage_trigger(trigger).serialize()[1] == trigger.serialize()[1]


def test_a_deferred_stage_is_handed_to_our_trigger(dag_bag, monkeypatch):
    task = dag_bag.dags["model_retrain"].get_task("fine_tune")
    for name in ("client", "hook", "pod_manager"):
        monkeypatch.setitem(task.__dict__, name, Mock())
    for name in ("pod", "pod_request_obj"):
        monkeypatch.setattr(task, name, None)
    new = pod(unscheduled=NO_CPU)
    new.metadata.labels = {}
    monkeypatch.setattr(KubernetesPodOperator, "build_pod_request_obj", lambda *_, **__: new)
    monkeypatch.setattr(KubernetesPodOperator, "get_or_create_pod", lambda *_: new)
    monkeypatch.setattr(BaseHook, "get_connection", lambda _: Mock(extra_dejson={}))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(REPO / "dags"))
    task.client.list_namespaced_pod.return_value.items = []
    instance = Mock(dag_id="model_retrain", task_id="fine_tune", start_date=datetime.now(UTC))

    with pytest.raises(TaskDeferred) as deferred:
        task.execute({"ti": instance, "run_id": "a-run"})

    assert type(deferred.value.trigger) is StagePodTrigger
    assert deferred.value.trigger.schedule_timeout == task.schedule_timeout_seconds


def test_the_image_lets_the_triggerer_import_our_trigger():
    dockerfile = (REPO / "images/airflow/Dockerfile").read_text()

    assert "COPY dags /opt/airflow/dags\n" in dockerfile
    assert "PYTHONPATH=/opt/airflow/dags:/opt/wakee" in dockerfile.split()


def test_the_module_needs_neither_airflow_nor_kubernetes():
    """The operators' commands import it in an environment without Airflow."""
    imports = [line for line in (REPO / "dags/wakee/pending.py").read_text().splitlines() if "import" in line]
    assert not [line for line in imports if line.startswith(("import airflow", "from airflow", "from kubernetes"))]
