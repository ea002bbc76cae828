"""`drift_detection_daily` on real pods. Each test has days of its own, years apart."""

import uuid

import pytest
from kubernetes.client import ApiClient, V1DeleteOptions
from wakee_common.settings import RunContext

from support.pods import running_pod
from support.restricted import loose_ends, violations
from support.waiting import wait_for

DAG = "drift_detection_daily"
STAGES = ["fetch_annotations", "load_predictions", "calculate_drift", "generate_report", "save_report"]
DRIFTED = ("--drift-days", "7", "--drift-bias", "confusion=0.5,frustration=0.6")
FAITHFUL = ("--bias", "0", "--noise", "0.1", "--drift-bias", "confusion=0", "--drift-noise", "0.1")


@pytest.fixture
def drift_run(airflow):
    """Run the DAG for a day to its end; returns the run's id and the tasks' states."""

    def run(until, **params):
        run_id = airflow.trigger(DAG, {"until": until, **params})
        return run_id, airflow.wait(DAG, run_id, 300)

    return run


def seed_days(seed, until, *flags, rows=200):
    """Thirty days of annotations, predicted by the version in production."""
    days = ("--days", "30", "--production-days", "40", "--until", f"{until}T00:00:00")
    seed("--rows", str(rows), *days, "--labels-only", "--seed", "1", *flags)


def stage_pods(kubernetes):
    return kubernetes.list_namespaced_pod("wakee", label_selector=f"wakee.io/dag-id={DAG}").items


def report_of(query, date):
    rows = query("SELECT * FROM drift_reports WHERE report_date = %s", date)
    assert len(rows) <= 1
    return rows[0] if rows else None


@pytest.mark.usefixtures("retraining_paused")
def test_drift_above_the_threshold_triggers_one_retraining(airflow, seed, drift_run, query, store):
    seed_days(seed, "2021-03-31", *DRIFTED)

    run_id, states = drift_run("2021-03-30")

    assert states == dict.fromkeys([*STAGES, "decide", "trigger_retrain"], "success")
    report = report_of(query, "2021-03-30")
    assert report["drift_detected"] is True
    assert report["drift_score"] > 0.15
    assert report["run_id"] == run_id
    assert report["report_json"]["retraining"]["retrain"] is True
    triggered = [run for run in airflow.runs("model_retrain") if run["dag_run_id"] == f"drift__{run_id}"]
    assert [run["conf"] for run in triggered] == [{"drift_report_id": report["id"]}]
    addresses = airflow.result(DAG, run_id, "generate_report")
    page = store.get_bytes(store.uri(addresses["html_uri"].split("/", 3)[3]))
    assert b"<html" in page[:2000].lower()


@pytest.mark.usefixtures("retraining_paused")
def test_drift_while_retraining_is_paused_is_an_error_with_its_remedy(airflow, seed, query):
    seed_days(seed, "2021-06-30", *DRIFTED)

    run_id = airflow.trigger(DAG, {"until": "2021-06-29", "queue_while_paused": False})
    states = airflow.wait(DAG, run_id, 300)

    assert states == dict.fromkeys([*STAGES, "decide"], "success") | {"trigger_retrain": "failed"}
    assert report_of(query, "2021-06-29")["drift_detected"] is True
    assert "Unpause it and clear this task" in airflow.result(DAG, run_id, "trigger_retrain")["cause"]
    assert f"drift__{run_id}" not in [run["dag_run_id"] for run in airflow.runs("model_retrain")]


@pytest.mark.usefixtures("model_in_production")
def test_drift_of_the_version_before_triggers_nothing(airflow, seed, drift_run, query):
    seed_days(seed, "2021-09-30", *DRIFTED, "--production-days", "0")

    run_id, states = drift_run("2021-09-29")

    assert states == {**dict.fromkeys([*STAGES, "decide"], "success"), "trigger_retrain": "skipped"}
    assert report_of(query, "2021-09-29")["drift_detected"] is True
    assert "predicted 0 rows of the window (10 needed)" in airflow.log(DAG, run_id, "decide")


def test_drift_below_the_threshold_triggers_nothing(airflow, seed, drift_run, query):
    seed_days(seed, "2022-03-31", *FAITHFUL)

    run_id, states = drift_run("2022-03-30")

    assert states == {**dict.fromkeys([*STAGES, "decide"], "success"), "trigger_retrain": "skipped"}
    assert airflow.run(DAG, run_id)["state"] == "success"
    assert report_of(query, "2022-03-30")["drift_detected"] is False


def test_a_run_whose_id_is_as_long_as_airflow_allows_has_its_logs_and_its_folder(airflow, store):
    run_id = f"manual__{uuid.uuid4()}+".ljust(250, "x")
    airflow.trigger(DAG, {"until": "2009-01-01"}, run_id)

    states = airflow.wait(DAG, run_id, 300)

    assert states.pop("fetch_annotations") == "success"
    assert set(states.values()) == {"skipped"}
    assert "All downstream tasks are skipped" in airflow.log(DAG, run_id, "fetch_annotations")
    folder = RunContext.model_construct(dag_id=DAG, run_id=run_id, task_id="fetch_annotations").folder(store.root)
    assert store.get_bytes(folder / "result.json")


def test_too_few_annotations_change_nothing(airflow, seed, drift_run, query):
    seed_days(seed, "2023-03-31", rows=20)

    run_id, states = drift_run("2023-03-30", min_samples=1000)

    assert states.pop("fetch_annotations") == "success"
    assert set(states.values()) == {"skipped"}
    assert airflow.run(DAG, run_id)["state"] == "success"
    assert airflow.result(DAG, run_id, "fetch_annotations")["status"] == "insufficient_data"
    assert report_of(query, "2023-03-30") is None


def test_running_a_date_again_leaves_one_row(seed, drift_run, query):
    seed_days(seed, "2024-03-31", *FAITHFUL)

    drift_run("2024-03-30")
    first = report_of(query, "2024-03-30")
    second_run, _ = drift_run("2024-03-30")
    second = report_of(query, "2024-03-30")

    assert second["id"] == first["id"]
    assert second["run_id"] == second_run
    assert second["drift_score"] == first["drift_score"]


def test_a_killed_pod_is_started_again_in_the_same_attempt_and_leaves_no_orphan(airflow, seed, kubernetes, query):
    seed_days(seed, "2025-03-31", *FAITHFUL)
    run_id = airflow.trigger(DAG, {"until": "2025-03-30"})

    pod = wait_for(lambda: running_pod(kubernetes, run_id, "calculate_drift"), 240, "a running calculate_drift pod")
    run_label = pod.metadata.labels["wakee.io/run-id"]
    spec = ApiClient().sanitize_for_serialization(pod.spec)
    kubernetes.delete_namespaced_pod(pod.metadata.name, "wakee", body=V1DeleteOptions(grace_period_seconds=0))
    states = airflow.wait(DAG, run_id, 300)

    assert violations(spec) == []
    assert loose_ends(spec) == []
    assert states["save_report"] == "success"
    assert airflow.tasks(DAG, run_id)["calculate_drift"]["try_number"] == 1
    assert report_of(query, "2025-03-30")["run_id"] == run_id

    def gone():
        return run_label not in [pod.metadata.labels["wakee.io/run-id"] for pod in stage_pods(kubernetes)]

    wait_for(gone, 60, "no pod left of the run")
