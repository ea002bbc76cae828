"""A stage's log, followed to its end by the provider's own reader: every line once, and no word of an interruption."""

from datetime import UTC, datetime
from unittest.mock import Mock

import pytest
from kubernetes.client import models as k8s

from wakee import pods
from wakee.pods import StagePodManager
from wakee.stages import CONTAINER

LINES = [f"2026-04-05T03:00:0{second}.000000000Z line {second}\n".encode() for second in range(3)]
REPORTED_LATE = 5
"""How often the kubelet still says that the container runs, after its log has ended."""


def pod(*, running):
    ended = k8s.V1ContainerStateTerminated(exit_code=0, finished_at=datetime.now(UTC))
    state = k8s.V1ContainerState(running=k8s.V1ContainerStateRunning()) if running else None
    status = k8s.V1ContainerStatus(
        name=CONTAINER,
        image="",
        image_id="",
        ready=running,
        restart_count=0,
        state=state or k8s.V1ContainerState(terminated=ended),
    )
    return k8s.V1Pod(
        metadata=k8s.V1ObjectMeta(name="a-pod", namespace="wakee"),
        spec=k8s.V1PodSpec(containers=[]),
        status=k8s.V1PodStatus(phase="Running", container_statuses=[status]),
    )


@pytest.fixture
def manager(monkeypatch):
    """A function: reads the log of a container whose end is reported after so many looks."""

    def make(looks):
        states = iter([pod(running=True)] * looks)
        client = Mock()
        client.read_namespaced_pod.side_effect = lambda *_, **__: next(states, pod(running=False))
        client.read_namespaced_pod_log.side_effect = lambda *_, **__: Mock(stream=lambda **_: iter(LINES))
        return StagePodManager(kube_client=client)

    monkeypatch.setattr(pods.time, "sleep", Mock())
    return make


def test_the_end_of_the_log_is_the_end_of_the_container(manager, capsys):
    status = manager(REPORTED_LATE).fetch_container_logs(pod(running=True), CONTAINER, follow=True)

    said = capsys.readouterr().out
    assert not status.running
    assert [said.count(f"line {number}") for number in range(3)] == [1, 1, 1]
    assert "interrupted" not in said


def test_a_container_that_goes_on_is_read_on(manager, monkeypatch, capsys):
    monkeypatch.setattr(pods, "REPORTED_WITHIN_SECONDS", 0)
    manager(REPORTED_LATE).fetch_container_logs(pod(running=True), CONTAINER, follow=True)
    assert "interrupted" in capsys.readouterr().out


def test_nobody_waits_for_a_container_whose_log_is_not_followed(manager):
    assert manager(1).container_is_running(pod(running=True), CONTAINER)
    pods.time.sleep.assert_not_called()
