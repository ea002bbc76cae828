"""What an installation prints about pods that do not start."""

from kubernetes import client

from wakee_tools.deploy.progress import PodNews


def pod(name, phase="Pending", waiting=None, last=None, restarts=0):
    state = client.V1ContainerState(waiting=waiting)
    container = client.V1ContainerStatus(
        name="scheduler", image="i", image_id="", ready=False, restart_count=restarts, state=state,
        last_state=client.V1ContainerState(terminated=last),
    )  # fmt: skip
    return client.V1Pod(
        metadata=client.V1ObjectMeta(name=name),
        spec=client.V1PodSpec(node_name="node", containers=[]),
        status=client.V1PodStatus(phase=phase, container_statuses=[container]),
    )


def waits(reason, message=""):
    return client.V1ContainerStateWaiting(reason=reason, message=message)


def test_an_image_that_cannot_be_pulled_is_reported_once():
    news, pods = PodNews("airflow"), [pod("airflow-scheduler-1", waiting=waits("ErrImagePull", "not found"))]
    assert news.lines(pods, 0) == []
    assert news.lines(pods, 10) == ["airflow-scheduler-1 is waiting: container scheduler: ErrImagePull: not found"]
    assert news.lines(pods, 20) == []


def test_a_pod_that_only_starts_is_not_reported():
    news, pods = PodNews("airflow"), [pod("airflow-scheduler-1", waiting=waits("PodInitializing"))]
    assert [news.lines(pods, second) for second in (0, 10, 20)] == [[], [], []]


def test_a_crash_from_before_is_not_reported(monkeypatch):
    monkeypatch.setattr(PodNews, "_log", lambda *_: "old")
    old = pod("airflow-scheduler-1", "Running", last=client.V1ContainerStateTerminated(exit_code=137), restarts=1)
    news = PodNews("airflow")
    assert [news.lines([old], second) for second in (0, 10)] == [[], []]


def test_a_crash_is_reported_with_its_log_and_once_per_crash(monkeypatch):
    logs = iter(["password authentication failed", "again"])
    monkeypatch.setattr(PodNews, "_log", lambda *_: next(logs))
    news, ended = PodNews("airflow"), client.V1ContainerStateTerminated(exit_code=1)
    crashed = pod("airflow-scheduler-1", "Running", last=ended, restarts=1)
    line = "airflow-scheduler-1/scheduler ended with exit code 1: "
    assert news.lines([], 0) == []
    assert news.lines([crashed], 0) == [f"{line}password authentication failed"]
    assert news.lines([crashed], 10) == []
    assert news.lines([pod("airflow-scheduler-1", "Running", last=ended, restarts=2)], 20) == [f"{line}again"]
