"""A training on GPUs runs on the node that has one and nowhere else, and waits while the GPU is taken.

The GPU is only an entry in the node's capacity, with the taint and the label of a real GPU node.
"""

import json

import pytest

from support import nodes
from support.faults import installed_with
from support.images import image_of
from support.waiting import wait_for

DAG = "model_retrain"
LABEL = "pretended"


@pytest.fixture
def gpu_node(kubernetes, two_workers):
    with nodes.gpu_node(kubernetes, two_workers[1], LABEL):
        yield two_workers[1]


@pytest.fixture
def gpus_wanted():
    selector = json.dumps({"accelerator": LABEL})
    with installed_with(WAKEE_GPU_COUNT="1", WAKEE_GPU_NODE_SELECTOR=selector, WAKEE_GPU_WAIT_SECONDS="600"):
        yield


@pytest.mark.usefixtures("model_in_production", "gpus_wanted")
def test_a_gpu_that_is_taken(airflow, kubernetes, gpu_node, stage_nodes, all_agree, observed, no_orphans):
    stage_nodes.clear()
    with nodes.pod_with_gpu(kubernetes, image_of("sandbox")):
        run_id = airflow.trigger(DAG, {"epochs": 1, "start": "auto", "seed": 77, "train_again": True})
        wait_for(lambda: _waits(airflow, run_id), 420, "the log says that the GPU is taken", every=2)
        assert "fine_tune" not in stage_nodes
    states = airflow.wait(DAG, run_id, 900)

    observed(DAG, run_id, "every GPU taken, then one free", "fine_tune", "Insufficient nvidia.com/gpu")
    assert set(states.values()) == {"success"}
    assert airflow.tasks(DAG, run_id)["fine_tune"]["try_number"] == 1
    assert stage_nodes.pop("fine_tune") == {gpu_node}
    assert gpu_node not in set().union(*stage_nodes.values())
    all_agree(run_id)
    no_orphans(DAG)


def _waits(airflow, run_id):
    if airflow.states(DAG, run_id)["fine_tune"] not in {"running", "deferred"}:
        return False
    return f"is pending: 0/3 nodes are available: 1 Insufficient {nodes.GPU}" in airflow.log(DAG, run_id, "fine_tune")
