"""What is a disruption and what is the stage's own failure: read from the pod alone."""

from datetime import timedelta
from pathlib import Path

import pytest
from kubernetes.client import models as k8s

from support.stage_pods import EVICTED, NOW, STAGE, TAINTED, stage_pod
from wakee.disruptions import DELETED, disruption, has_ended, is_stuck, node_is_lost

REPO = Path(__file__).parents[2]
LOW = "The node was low on resource: memory. Threshold quantity: 100Mi, available: 90Mi. Container airflow-stage was \
using 3Gi, request is 2Gi, has larger consumption of memory. "
FULL_VOLUME = 'Usage of EmptyDir volume "tmp" exceeds the limit "2Gi". '
FULL_POD = "Pod ephemeral local storage usage exceeds the total limit of containers 2Gi. "
FULL_CONTAINER = 'Container airflow-stage exceeded its local ephemeral storage limit "2Gi". '
BEFORE = NOW - timedelta(seconds=2)


@pytest.mark.parametrize(
    ("seen", "cause"),
    [
        pytest.param(
            stage_pod(target=EVICTED, deleted=NOW), "Eviction API: evicting (EvictionByEvictionAPI)", id="drained"
        ),
        pytest.param(
            stage_pod(exit_code=1, target=EVICTED, deleted=NOW),
            "Eviction API: evicting (EvictionByEvictionAPI)",
            id="drained, and its stage ended on SIGTERM",
        ),
        pytest.param(
            stage_pod(target=("PreemptionByScheduler", "default-scheduler: preempting")),
            "default-scheduler: preempting (PreemptionByScheduler)",
            id="preempted",
        ),
        pytest.param(
            stage_pod(target=TAINTED),
            "Taint manager: deleting due to NoExecute taint (DeletionByTaintManager)",
            id="by taint",
        ),
        pytest.param(
            stage_pod("Failed", 137, reason="Evicted", message=LOW, target=("TerminationByKubelet", LOW)),
            f"{LOW.rstrip('. ')} (TerminationByKubelet)",
            id="node pressure",
        ),
        pytest.param(
            stage_pod("Failed", 137, reason="Evicted", message=LOW),
            f"{LOW.rstrip('. ')} (Evicted)",
            id="node pressure, without a condition",
        ),
        pytest.param(
            stage_pod("Failed", 1, reason="Terminated", message="Pod was terminated in response to node shutdown."),
            "Pod was terminated in response to node shutdown (Terminated)",
            id="node shutdown",
        ),
        pytest.param(stage_pod(reason="NodeLost", message=None), "NodeLost", id="node lost"),
        pytest.param(stage_pod("Failed", 255, ended_for="Unknown"), "its node lost it (Unknown)", id="node restarted"),
        pytest.param(stage_pod(deleted=NOW), DELETED, id="deleted"),
        pytest.param(stage_pod(exit_code=1, deleted=NOW), DELETED, id="deleted, and its stage ended on SIGTERM"),
    ],
)
def test_a_disruption(seen, cause):
    assert disruption(seen, STAGE) == cause


@pytest.mark.parametrize(
    "seen",
    [
        pytest.param(stage_pod(), id="runs"),
        pytest.param(stage_pod("Pending"), id="pending"),
        pytest.param(stage_pod("Failed", 1), id="exit code"),
        pytest.param(stage_pod("Failed", 137), id="killed"),
        pytest.param(stage_pod("Failed", 137, ended_for="OOMKilled"), id="out of memory"),
        pytest.param(stage_pod("Failed", 137, ended_for="OOMKilled", target=EVICTED), id="out of memory while drained"),
        pytest.param(stage_pod("Failed", 137, reason="Evicted", message=FULL_VOLUME), id="scratch volume full"),
        pytest.param(stage_pod("Failed", 137, reason="Evicted", message=FULL_POD), id="scratch of the pod full"),
        pytest.param(stage_pod("Failed", 137, reason="Evicted", message=FULL_CONTAINER), id="container's limit"),
        pytest.param(stage_pod("Failed", 143, reason="DeadlineExceeded"), id="time limit"),
        pytest.param(stage_pod(exit_code=2, target=EVICTED, deleted=NOW), id="will not help while drained"),
        pytest.param(stage_pod(exit_code=0, target=EVICTED, deleted=NOW), id="succeeded while drained"),
        pytest.param(stage_pod("Succeeded", 0, deleted=NOW), id="succeeded"),
        pytest.param(stage_pod(exit_code=1, ended=BEFORE, target=EVICTED), id="failed before it was drained"),
        pytest.param(stage_pod("Failed", 1, ended=BEFORE, deleted=NOW), id="failed before it was deleted"),
        pytest.param(k8s.V1Pod(metadata=k8s.V1ObjectMeta(name="new")), id="just made"),
    ],
)
def test_not_a_disruption(seen):
    assert disruption(seen, STAGE) is None


@pytest.mark.parametrize(
    ("seen", "ended"),
    [
        pytest.param(stage_pod(), False, id="runs"),
        pytest.param(stage_pod(deleted=NOW), False, id="grace period"),
        pytest.param(stage_pod(exit_code=143), True, id="only the sidecar runs"),
        pytest.param(stage_pod("Failed"), True, id="failed"),
    ],
)
def test_the_end(seen, ended):
    assert has_ended(seen, STAGE) is ended


def test_a_lost_node():
    assert node_is_lost(stage_pod(node_lost=True))
    assert not node_is_lost(stage_pod())
    assert not node_is_lost(stage_pod(exit_code=143, node_lost=True)), "the kubelet reported the end"


@pytest.mark.parametrize(
    ("seen", "seconds", "stuck"),
    [
        pytest.param(stage_pod(deleted=NOW, node_lost=True), 61, True, id="overdue"),
        pytest.param(stage_pod(deleted=NOW, node_lost=True), 59, False, id="the kubelet may still report it"),
        pytest.param(stage_pod(deleted=NOW), 3600, False, id="its node answers"),
        pytest.param(stage_pod(node_lost=True), 3600, False, id="not given up"),
    ],
)
def test_a_stuck_pod(seen, seconds, stuck):
    assert is_stuck(seen, NOW + timedelta(seconds=seconds)) is stuck


def test_the_module_needs_neither_airflow_nor_kubernetes():
    imports = [line for line in (REPO / "dags/wakee/disruptions.py").read_text().splitlines() if "import " in line]
    assert imports == ["import re", "from datetime import datetime, timedelta", "from typing import Any"]
