"""Why a run's pods are pending, on the console of those who wait for it."""

import io

import pytest
from kubernetes import client
from rich.console import Console

from wakee_tools.airflow import pods, show
from wakee_tools.airflow.client import Airflow
from wakee_tools.airflow.pods import PAUSE_SECONDS, PendingPods

NO_CPU = "0/1 nodes are available: 1 Insufficient cpu."
NO_MEMORY = "0/1 nodes are available: 1 Insufficient memory."
DAG, RUN = "model_retrain", "manual__2026-01-01T00:00:00+00:00"


def pod(reason, task_id="fine_tune", run_id=RUN):
    condition = client.V1PodCondition(type="PodScheduled", status="False", reason="Unschedulable", message=reason)
    variable = client.V1EnvVar(name="WAKEE_RUN_ID", value=run_id)
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=f"pod-of-{run_id}-{task_id}", labels={"wakee.io/task-id": task_id}),
        spec=client.V1PodSpec(
            containers=[client.V1Container(name="base", env=[variable]), client.V1Container(name="x")]
        ),
        status=client.V1PodStatus(phase="Pending", conditions=[condition]),
    )


class Cluster:
    """A cluster and a clock of which each look takes a second."""

    def __init__(self, seen):
        self.seen, self.second, self.asked = seen, -1, []

    def clock(self):
        return float(self.second)

    def pods(self, dag_id):
        assert dag_id == DAG
        self.asked.append(self.second)
        answer = self.seen(self.second)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def news(self, seconds):
        """Second, task and reason of what was reported."""
        pending = PendingPods(DAG, RUN, self.pods, self.clock)
        reported = []
        for second in range(seconds):
            self.second = second
            reported += [(second, *news) for news in pending.news()]
        return reported


def test_within_15_seconds_and_again_when_it_changes():
    cluster = Cluster(lambda second: [pod(NO_CPU if second < 20 else NO_MEMORY)])

    (first, *what), (changed, *then) = cluster.news(60)

    assert first <= 15
    assert what == ["fine_tune", NO_CPU]
    assert changed <= 35
    assert then == ["fine_tune", NO_MEMORY]


def test_pods_of_other_runs_are_not_its_own():
    cluster = Cluster(lambda _: [pod(NO_CPU, run_id="another"), pod(NO_MEMORY, task_id="evaluate")])

    assert [what for _, *what in cluster.news(30)] == [["evaluate", NO_MEMORY]]


def test_a_cluster_that_does_not_answer_is_asked_seldom_and_hides_nothing_later():
    cluster = Cluster(lambda second: OSError("no route to host") if second < 15 else [pod(NO_CPU)])

    ((second, *_),) = cluster.news(40)

    assert [asked for asked in cluster.asked if asked < 20] == [0, PAUSE_SECONDS]
    assert second <= 15 + PAUSE_SECONDS + 15


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param("/nowhere", id="no file"),
        pytest.param("", id="an empty file"),
        pytest.param(
            "{apiVersion: v1, clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}],"
            " users: [{name: u, user: {}}], contexts: [{name: x, context: {cluster: c, user: u}}], current-context: x}",
            id="nothing listens",
        ),
    ],
)
def test_without_a_cluster_nothing_is_said(tmp_path, monkeypatch, settings):
    file = tmp_path / "config"
    if settings != "/nowhere":
        file.write_text(settings)
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
    pods._cluster.cache_clear()

    assert PendingPods(DAG, RUN).news() == []

    pods._cluster.cache_clear()


def test_a_line_on_the_console(monkeypatch):
    """The run ends when its pod's reason has been printed."""
    printed = io.StringIO()
    monkeypatch.setattr(show, "console", Console(file=printed, width=80))
    monkeypatch.setattr("wakee_tools.airflow.client._poll", lambda _: iter(range(100)))
    cluster = Cluster(lambda _: [pod("[tag] " + NO_CPU * 3)])
    monkeypatch.setattr(
        show, "PendingPods", lambda dag_id, run_id: PendingPods(dag_id, run_id, cluster.pods, cluster.clock)
    )

    def run(*_):
        cluster.second += 1
        return {"state": "success" if "Insufficient" in printed.getvalue() else "running"}

    monkeypatch.setattr(Airflow, "run", run)
    monkeypatch.setattr(Airflow, "states", lambda *_: {"fine_tune": "deferred"})

    assert show.follow(Airflow(), DAG, RUN, 60) == {"fine_tune": "deferred"}

    (_, line) = printed.getvalue().splitlines()
    assert line.endswith(f"fine_tune                pod is pending: [tag] {NO_CPU * 3}")
