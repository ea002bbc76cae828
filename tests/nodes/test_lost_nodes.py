"""Nodes that are drained or lost in the middle of a retraining cost neither a result nor an attempt."""

import re

import pytest

from support import nodes
from support.pods import running_pod
from support.waiting import wait_for

DAG = "model_retrain"
FAULTS = {"node drained": nodes.drained, "node lost": nodes.lost}
ENDED = {"success", "failed", "upstream_failed", "up_for_retry"}
RESTARTED = re.compile(r"Pod \S+ was disrupted: .* Starting it again \(1 of 5 disruptions of this attempt\)\.")


@pytest.mark.parametrize("task_id", ["fetch_training_data", "fine_tune"])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.replace(" ", "-"))
@pytest.mark.usefixtures("model_in_production")
def test_a_node_that_goes_away(airflow, kubernetes, all_agree, observed, no_orphans, task_id, fault):
    run_id = airflow.trigger(DAG, {"epochs": 3, "start": "auto", "seed": len(fault + task_id), "train_again": True})
    pod = wait_for(lambda: running_pod(kubernetes, run_id, task_id), 300, f"a running {task_id} pod", every=0.1)
    with FAULTS[fault](pod.spec.node_name):
        wait_for(lambda: airflow.states(DAG, run_id)[task_id] in ENDED, 900, f"the end of {task_id}", every=2)
    airflow.wait(DAG, run_id, 900)

    log = airflow.log(DAG, run_id, task_id, attempt=1)
    restarted = RESTARTED.search(log)
    print(restarted and restarted[0])
    observed(DAG, run_id, fault, task_id)
    assert restarted, log[-3000:]
    assert airflow.run(DAG, run_id)["state"] == "success"
    assert airflow.tasks(DAG, run_id)[task_id]["try_number"] == 1
    all_agree(run_id)
    no_orphans(DAG)


def test_airflow_and_the_sandbox_are_on_the_control_plane(kubernetes):
    """Their volumes cannot move, and the ports of localhost lead there."""
    stages = kubernetes.list_namespaced_pod("wakee", label_selector="wakee.io/sandbox").items
    airflow = kubernetes.list_namespaced_pod("airflow").items
    (control_plane,) = kubernetes.list_node(label_selector=nodes.CONTROL_PLANE).items
    assert stages
    assert airflow
    assert {pod.spec.node_name for pod in [*stages, *airflow]} == {control_plane.metadata.name}


def test_stages_are_spread_over_the_workers(airflow, two_workers, stage_nodes):
    run_id = airflow.trigger("health_check_weekly")
    airflow.wait("health_check_weekly", run_id, 300)

    assert set(two_workers) == set().union(*stage_nodes.values())
