"""Training that asks for a GPU: a clear failure where there is none, and success once a node has one.

The node's GPU is only an entry in its capacity, as a device plugin would make; what runs in the pod runs on the CPU.
"""

import pytest

from support.faults import installed_with
from support.nodes import set_gpus
from support.waiting import wait_for
from wakee_tools.airflow.show import follow

DAG = "model_retrain"


@pytest.fixture
def gpus_wanted():
    with installed_with(WAKEE_GPU_COUNT="1", WAKEE_GPU_WAIT_SECONDS="15"):
        yield


@pytest.fixture
def late_gpu(kubernetes):
    """Gives the node a GPU when called; takes it away in the end."""
    (node,) = kubernetes.list_node().items
    set_gpus(kubernetes, node.metadata.name, 0)
    yield lambda: set_gpus(kubernetes, node.metadata.name, 1)
    set_gpus(kubernetes, node.metadata.name, None)


@pytest.mark.usefixtures("model_in_production", "gpus_wanted")
def test_a_gpu_that_comes_late(airflow, kubernetes, late_gpu, all_agree, observed, no_orphans):
    run_id = airflow.trigger(DAG, {"epochs": 1, "start": "random", "min_samples": 50})
    wait_for(lambda: airflow.states(DAG, run_id)["fine_tune"] == "up_for_retry", 240, "the first try's end")
    pending = _pending_pods(kubernetes)
    late_gpu()
    states = follow(airflow, DAG, run_id, 600)
    log = airflow.log(DAG, run_id, "fine_tune", attempt=1)

    observed(DAG, run_id, "no GPU on any node, then one", "fine_tune", "Insufficient nvidia.com/gpu")
    assert "Insufficient nvidia.com/gpu" in log
    assert "WAKEE_GPU_COUNT=0 trains on the CPU" in log
    assert pending == []
    assert set(states.values()) == {"success"}
    assert airflow.tasks(DAG, run_id)["fine_tune"]["try_number"] == 2
    all_agree(run_id)
    no_orphans(DAG)


def _pending_pods(kubernetes):
    pods = kubernetes.list_namespaced_pod("wakee", label_selector="wakee.io/task-id=fine_tune").items
    return [pod.metadata.name for pod in pods if pod.status.phase == "Pending"]
