"""Stage images, DAGs and manifests work on the cluster built from Debian's packages as they do on kind."""

import contextlib
import subprocess

import pytest

from support.waiting import wait_for
from wakee_tools.airflow.client import AirflowError

DRIFT, HEALTH = "drift_detection_daily", "health_check_weekly"


@pytest.fixture(autouse=True)
def on_the_debian_built_cluster(kubernetes):
    (node,) = kubernetes.list_node().items
    assert node.metadata.name == "wakee-node", "this is another cluster: WAKEE_CLUSTER=debian make up"


@pytest.fixture(scope="module")
def champion(airflow, model_in_production):
    """A model in production that stays: retrainings that the night's missed drift run triggered are over.

    One that waits is removed; one that has started meanwhile is waited for.
    """
    for run in airflow.runs("model_retrain"):
        if run["state"] == "queued":
            with contextlib.suppress(AirflowError):  # it has started
                airflow.call("DELETE", f"dags/model_retrain/dagRuns/{run['dag_run_id']}")
    for run in airflow.runs("model_retrain"):
        if run["state"] in ("queued", "running"):
            airflow.wait("model_retrain", run["dag_run_id"], 600)


@pytest.mark.usefixtures("champion")
def test_the_health_check_is_green(airflow):
    """Before the other test, whose annotations have no pictures."""
    run_id = airflow.trigger(HEALTH)
    assert set(airflow.wait(HEALTH, run_id, 300).values()) == {"success"}


@pytest.mark.usefixtures("champion", "retraining_paused")
def test_drift_is_found(airflow, seed, query):
    days = ("--days", "30", "--production-days", "40", "--until", "2021-03-31T00:00:00")
    seed("--rows", "200", *days, "--labels-only", "--drift-bias", "confusion=0.5,frustration=0.6")
    run_id = airflow.trigger(DRIFT, {"until": "2021-03-30"})

    states = airflow.wait(DRIFT, run_id, 300)

    assert set(states.values()) == {"success"}
    (report,) = query("SELECT run_id, drift_detected FROM drift_reports WHERE report_date = '2021-03-30'")
    assert report == {"run_id": run_id, "drift_detected": True}


@pytest.fixture
def another_namespace():
    """Somebody else makes a network namespace, which mounts over the folder of all of them."""
    subprocess.run(["ip", "netns", "add", "wakee-stranger"], check=True)
    yield
    subprocess.run(["ip", "netns", "delete", "wakee-stranger"], check=True)


@pytest.mark.usefixtures("another_namespace")
def test_a_pod_goes_although_somebody_else_makes_namespaces(kubernetes):
    pod = kubernetes.list_namespaced_pod("wakee", label_selector="app.kubernetes.io/name=mail").items[0]
    kubernetes.delete_namespaced_pod(pod.metadata.name, "wakee", grace_period_seconds=1)

    def names():
        return [each.metadata.name for each in kubernetes.list_namespaced_pod("wakee").items]

    wait_for(lambda: pod.metadata.name not in names(), 60, "the end of the pod")
