"""Stage images, DAGs and manifests work on the cluster built from Debian's packages as they do on kind."""

import contextlib

import pytest

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
    seed("--rows", "200", "--days", "30", "--until", "2021-03-31T00:00:00", "--labels-only", "--drift-days", "7")
    run_id = airflow.trigger(DRIFT, {"until": "2021-03-30"})

    states = airflow.wait(DRIFT, run_id, 300)

    assert set(states.values()) == {"success"}
    (report,) = query("SELECT run_id, drift_detected FROM drift_reports WHERE report_date = '2021-03-30'")
    assert report == {"run_id": run_id, "drift_detected": True}
