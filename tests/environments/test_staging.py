"""A staging environment on kind beside production: it works, and production's state stays as it is."""

import subprocess

from .conftest import AIRFLOW, STAGES, wakee


def test_a_retraining_in_staging_changes_nothing_in_production(staging, store, query, production, kubernetes):
    tables = ("model_versions", "promotions", "drift_reports")
    before = {table: query(f"SELECT * FROM {table} ORDER BY id") for table in tables}
    served, keys = production(), set(store.list_keys(""))
    staging.unpause("model_retrain")

    params = {"start": "random", "epochs": 1, "min_samples": 50, "accept_any_first_model": True}
    run_id = staging.trigger("model_retrain", params)
    states = staging.wait("model_retrain", run_id, 900)

    assert set(states.values()) == {"success"}, states
    assert staging.result("model_retrain", run_id, "upload_to_hub")["promoted"] is True
    assert {table: query(f"SELECT * FROM {table} ORDER BY id") for table in tables} == before
    assert production() == served
    # The sandbox's MLflow server keeps the files of all its experiments in the same bucket.
    written = {key for key in store.list_keys("") if key not in keys and not key.startswith("mlflow/")}
    assert written
    assert [key for key in written if not key.startswith("staging/")] == []
    assert "staging/datasets/people.json" in written
    assert any(key.startswith("staging/airflow-logs/") for key in written)


def test_nothing_is_left_to_change(staging, settings_file):
    again = wakee("environment", "diff", str(settings_file))
    assert again.returncode == 0, again.stdout + again.stderr


def test_its_pods_are_in_its_own_namespaces(staging, kubernetes):
    assert kubernetes.list_namespaced_pod(AIRFLOW, label_selector="tier=airflow").items
    job = subprocess.run(
        ["kubectl", "-n", STAGES, "get", "job", "wakee-db-upgrade", "-o", "jsonpath={.status.succeeded}"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert job.stdout == "1"
