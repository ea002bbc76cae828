"""A disrupted pod is started again in the same attempt, with the provider's own reading and deferring of pods."""

import asyncio
import copy
import json
from datetime import UTC, datetime, timedelta
from itertools import count
from unittest.mock import AsyncMock, Mock

import pytest
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk.bases.hook import BaseHook
from airflow.sdk.exceptions import AirflowException, AirflowTaskTimeout, TaskDeferred
from kubernetes.client import models as k8s
from kubernetes.client.exceptions import ApiException

from support.stage_pods import EVICTED, NOW, TAINTED, PodApi, stage_pod
from wakee import pods
from wakee.pods import AsyncStagePodManager, StagePodManager, StagePodTrigger

RESULT = {"status": "success"}
RUNS, DONE = stage_pod(), stage_pod("Succeeded", 0)
SUCCESS = [RUNS, DONE]
DRAINED = stage_pod(target=EVICTED, deleted=NOW)
EVICTION = [RUNS, DRAINED, DRAINED, stage_pod(exit_code=1, target=EVICTED, deleted=NOW)]
LOW = "The node was low on resource: memory"
PRESSURE = [RUNS, stage_pod(exit_code=1), stage_pod("Failed", 1, reason="Evicted", message=LOW)]
FULL = stage_pod("Failed", 137, reason="Evicted", message='Usage of EmptyDir volume "tmp" exceeds the limit "2Gi".')
LONG_AGO = NOW - timedelta(minutes=10)
STUCK = stage_pod(target=TAINTED, deleted=LONG_AGO, node_lost=True)


@pytest.fixture
def on(dag_bag, monkeypatch):
    """A function: a task whose pods have these lives, on a clock that does not wait."""
    monkeypatch.setattr("time.sleep", Mock())
    monkeypatch.setattr(pods, "REPORTED_WITHIN_SECONDS", 0)
    monkeypatch.setattr(StagePodManager, "extract_xcom", lambda *_, **__: json.dumps(RESULT))
    monkeypatch.setattr(StagePodManager, "await_xcom_sidecar_container_start", lambda *_, **__: None)
    monkeypatch.setattr(StagePodManager, "extract_xcom_kill", lambda self, pod: self._client.changes.append("sidecar"))
    monkeypatch.setattr(BaseHook, "get_connection", lambda _: Mock(extra_dejson={}))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    numbers = count(1)

    def build(*_, **__):
        metadata = k8s.V1ObjectMeta(name=f"pod-{next(numbers)}", namespace="wakee", labels={})
        return k8s.V1Pod(metadata=metadata, spec=k8s.V1PodSpec(containers=[]))

    monkeypatch.setattr(KubernetesPodOperator, "build_pod_request_obj", build)

    def make(task_id, *lives, budget=5):
        task = copy.copy(dag_bag.dags["model_retrain"].get_task(task_id))
        api = PodApi(*lives)
        api.read_namespaced_pod_log = lambda *_, **__: Mock(stream=lambda **_: iter(()), __iter__=lambda _: iter(()))
        hook = Mock(get_pod=api.read_namespaced_pod)
        clients = {"client": api, "hook": hook, "pod_manager": StagePodManager(kube_client=api)}
        fresh = {"pod": None, "pod_request_obj": None, "remote_pod": None, "_killed": False, "trigger_kwargs": None}
        options = {"disruption_budget": budget, "startup_check_interval_seconds": 0}
        task.__dict__ |= clients | fresh | options
        return task, api

    return make


def context(minutes_ago=0):
    started = datetime.now(UTC) - timedelta(minutes=minutes_ago)
    instance = Mock(dag_id="model_retrain", task_id="a_task", map_index=-1, try_number=1, start_date=started)
    return {"ti": instance, "run_id": "a-run", "dag": Mock(parent_dag=None)}


def created(api):
    return [change[1] for change in api.changes if change[0] == "create"]


@pytest.mark.parametrize(
    ("life", "cause"),
    [
        pytest.param(EVICTION, "Eviction API: evicting (EvictionByEvictionAPI)", id="evicted"),
        pytest.param([RUNS, None], "it was deleted", id="vanished"),
        pytest.param([stage_pod("Pending"), None], "it was deleted", id="vanished before it ran"),
        pytest.param(PRESSURE, f"{LOW} (Evicted)", id="the kubelet reports the cause last"),
    ],
)
def test_a_disrupted_pod_is_started_again(on, capsys, life, cause):
    task, api = on("fetch_training_data", life, SUCCESS)

    assert task.execute(context()) == RESULT

    assert created(api) == ["pod-1", "pod-2"]
    line = f"Pod pod-1 was disrupted: {cause}. Starting it again (1 of 5 disruptions of this attempt)."
    assert capsys.readouterr().out.count(line) == 1


def test_the_new_pod_starts_after_the_end_of_the_old_one(on):
    task, api = on("fetch_training_data", EVICTION, SUCCESS)

    task.execute(context())

    assert api.changes[:3] == [
        ("create", "pod-1"),
        ("label", "pod-1", {"already_checked": "True"}),
        ("create", "pod-2"),
    ]


@pytest.mark.parametrize(
    ("life", "says"),
    [
        pytest.param([RUNS, stage_pod("Failed", 1)], "returned a failure", id="exit code"),
        pytest.param([RUNS, stage_pod("Failed", 137, ended_for="OOMKilled")], "Raise WAKEE_STAGE_MEMORY", id="memory"),
        pytest.param([RUNS, FULL], "raise WAKEE_STAGE_SCRATCH", id="scratch space"),
    ],
)
def test_a_failure_costs_the_attempt(on, life, says):
    task, api = on("fetch_training_data", life)

    with pytest.raises(AirflowException, match=says):
        task.execute(context())

    assert created(api) == ["pod-1"]


def test_the_budget_of_an_attempt(on, capsys):
    task, api = on("fetch_training_data", *([RUNS, None] for _ in range(3)), budget=2)

    with pytest.raises(AirflowException, match=r"Pod pod-3 was disrupted: it was deleted\. .* more than 2 times"):
        task.execute(context())

    assert created(api) == ["pod-1", "pod-2", "pod-3"]
    assert "(2 of 2 disruptions of this attempt)" in capsys.readouterr().out


def test_a_time_limit_ends_the_attempt_of_a_disrupted_pod(on, monkeypatch):
    task, api = on("fetch_training_data", [RUNS, DRAINED, stage_pod("Failed", 1)])
    monkeypatch.setattr(task, "await_pod_completion", Mock(side_effect=AirflowTaskTimeout()))

    with pytest.raises((AirflowTaskTimeout, AirflowException)):
        task.execute(context())

    assert created(api) == ["pod-1"]


def test_a_stopped_task_starts_nothing(on, monkeypatch):
    task, api = on("fetch_training_data", [RUNS, None])
    follow = task.await_pod_completion
    monkeypatch.setattr(task, "await_pod_completion", lambda **options: (task.on_kill(), follow(**options)))

    with pytest.raises(ApiException):
        task.execute(context())

    assert created(api) == ["pod-1"]


def test_a_pod_on_a_lost_node_is_removed(on, capsys):
    """Its log cannot be read, and its kubelet never reports its end."""
    task, api = on("fetch_training_data", [RUNS] * 4 + [STUCK], SUCCESS)
    read = api.read_namespaced_pod_log
    api.read_namespaced_pod_log = Mock(side_effect=lambda name, *_, **__: read() if name == "pod-2" else _no_route())

    assert task.execute(context()) == RESULT

    assert ("delete", "pod-1", 0) in api.changes
    assert "Node a-node does not answer. Removing its pod pod-1" in capsys.readouterr().out


def _no_route():
    raise ApiException(status=500, reason="dial tcp: no route to host")


def test_a_log_that_comes_back_is_read_on(on):
    task, api = on("fetch_training_data", [RUNS] * 8 + [DONE])
    read = api.read_namespaced_pod_log
    answers = iter([_no_route] * 7)
    api.read_namespaced_pod_log = lambda *_, **__: next(answers, read)()

    assert task.execute(context()) == RESULT
    assert created(api) == ["pod-1"]


def event(name, status="failed", **others):
    return {"status": status, "name": name, "namespace": "wakee", "message": "pod failed", **others}


def deferred_again(task, then):
    with pytest.raises(TaskDeferred) as raised:
        task.trigger_reentry(context(), then)
    return raised.value.trigger


@pytest.mark.parametrize(
    "life",
    [
        pytest.param(EVICTION[1:], id="evicted"),
        pytest.param([stage_pod(exit_code=1, deleted=NOW), None], id="deleted"),
        pytest.param([None], id="vanished"),
        pytest.param([STUCK], id="on a lost node"),
        pytest.param(PRESSURE[1:], id="the kubelet reports the cause last"),
    ],
)
def test_a_deferred_stage_is_started_again(on, life):
    task, api = on("fine_tune", SUCCESS)
    api.pods["old"] = list(life)

    trigger = deferred_again(task, event("old"))

    assert created(api) == ["pod-1"]
    assert trigger.pod_name == "pod-1"
    assert trigger.trigger_kwargs["disruptions"] == 1


def test_the_sidecar_does_not_use_up_the_grace_period(on):
    """Of a pod whose stage has saved its checkpoint. On a lost node nothing can be read or ended."""
    task, api = on("fine_tune", SUCCESS, SUCCESS)
    api.pods |= {"drained": EVICTION[1:], "lost": [STUCK]}

    deferred_again(task, event("drained"))
    assert api.changes[:2] == ["sidecar", ("label", "drained", {"already_checked": "True"})]
    api.changes.clear()
    deferred_again(task, event("lost"))
    assert "sidecar" not in api.changes


def test_the_count_survives_the_deferral(on, capsys):
    """Each time in another process, which knows only what the trigger returns."""
    returned = {}
    for number in (1, 2):
        task, api = on("fine_tune", SUCCESS, budget=2)
        api.pods["old"] = [None]
        returned = deferred_again(task, event("old", **returned)).trigger_kwargs
        assert f"({number} of 2 disruptions of this attempt)" in capsys.readouterr().out

    task, api = on("fine_tune", budget=2)
    api.pods["old"] = [None]
    with pytest.raises(AirflowException, match="more than 2 times"):
        task.trigger_reentry(context(), event("old", **returned))


def test_a_deferred_failure_costs_the_attempt(on):
    task, api = on("fine_tune")
    api.pods["old"] = [stage_pod("Failed", 1)]

    with pytest.raises(AirflowException):
        task.trigger_reentry(context(), event("old"))

    assert created(api) == []


def test_a_deferred_success_is_a_result(on):
    task, api = on("fine_tune")
    api.pods["old"] = [stage_pod(exit_code=0), DONE]

    assert task.trigger_reentry(context(), event("old", "success")) == RESULT


def test_nothing_starts_after_the_time_limit(on):
    task, api = on("fine_tune")
    api.pods["old"] = [stage_pod(deleted=NOW), None]
    late = task.execution_timeout.total_seconds() / 60 + 1

    with pytest.raises((AirflowException, ApiException)):
        task.trigger_reentry(context(late), event("old", "timeout"))

    assert created(api) == []


def trigger_on(*life, **options):
    """The triggerer's watch over a pod."""
    trigger = StagePodTrigger(
        pod_name="a-pod",
        pod_namespace="wakee",
        trigger_start_time=NOW,
        base_container_name="airflow-stage",
        poll_interval=0,
        log_events_on_startup=False,
        **options,
    )
    steps = list(life)
    step = AsyncMock(side_effect=lambda *_, **__: steps.pop(0) if len(steps) > 1 else steps[0])
    trigger.__dict__["hook"] = Mock(get_pod=step, read_logs=AsyncMock(side_effect=ApiException(status=500)))
    return trigger


async def first(trigger):
    return (await anext(trigger.run())).payload


def test_the_triggerer_returns_a_disrupted_pod_at_once():
    """A lost node never reports its pod's end."""
    returned = asyncio.run(first(trigger_on(RUNS, RUNS, STUCK, trigger_kwargs={"disruptions": 3})))

    assert (returned["status"], returned["disruptions"]) == ("failed", 3)


def test_the_triggerer_watches_a_pod_whose_log_cannot_be_read():
    returned = asyncio.run(first(trigger_on(*[RUNS] * 6, DONE, logging_interval=0.0001)))

    assert returned["status"] == "success"


def test_a_log_that_hangs_is_given_up(monkeypatch):
    monkeypatch.setattr(pods, "LOG_TIMEOUT_SECONDS", 0.01)
    manager = AsyncStagePodManager(async_hook=Mock(read_logs=_hang))

    read = manager.fetch_container_logs_before_current_sec(RUNS, "airflow-stage", since_time=NOW)

    assert asyncio.run(read) == NOW


async def _hang(**_):
    await asyncio.sleep(60)
