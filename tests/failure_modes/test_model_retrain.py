"""One fault at a time in the middle of a retraining. Whatever it is, the run succeeds, one row names its version, Hub,
registry and database agree on what is in production, and no pod runs on.
"""

import pytest

from support import faults
from support.cases import Case, component, process, service
from support.production import HUB, publication

DAG = "model_retrain"


def no_commits(_kubernetes, _pod):
    """The Hub takes the files, and fails at the request that would publish them."""
    return faults.switched(HUB, "down", "/commit/")


CASES = [
    Case("S3 server gone, 20 s", "fine_tune", service("r2", "gone"), 20),
    Case("S3 server answers 503, 20 s", "fetch_training_data", service("r2", "unavailable"), 20),
    Case("S3 connections severed after 100 kB, 20 s", "fine_tune", service("r2", "severed"), 20),
    Case("pod evicted", "fine_tune", faults.pod_evicted, tries=1),
    Case("Airflow's scheduler killed", "fine_tune", component("airflow-scheduler")),
    Case("Airflow's triggerer killed", "fine_tune", component("airflow-triggerer")),
    Case("Airflow's API server killed", "fine_tune", component("airflow-api-server")),
    Case("XCom sidecar killed", "fine_tune", faults.sidecar_killed, tries=2),
    Case("Kubernetes' API server killed", "fine_tune", process("kube-apiserver")),
    Case("kubelet killed", "fine_tune", process("kubelet")),
    Case("containerd killed", "fine_tune", process("containerd")),
    Case("Hub gone, 15 s", "export_onnx", service("hub", "gone"), 15, until="upload_to_hub"),
    Case("Hub silent, 15 s", "export_onnx", service("hub", "silent"), 15, until="upload_to_hub"),
    Case("Hub answers 503, 15 s", "export_onnx", service("hub", "unavailable"), 15, until="upload_to_hub"),
    Case("Hub answers 503 to the commit, 15 s", "export_onnx", no_commits, 15, until="upload_to_hub"),
    Case("Hub answers 429, 15 s", "export_onnx", service("hub", "limited"), 15, until="upload_to_hub"),
    Case("pod killed", "upload_to_hub", faults.pod_killed, tries=1),
    Case("MLflow gone, 15 s", "export_onnx", service("mlflow", "gone"), 15, until="upload_to_hub"),
    Case("MLflow answers 503, 15 s", "export_onnx", service("mlflow", "unavailable"), 15, until="upload_to_hub"),
    Case("MLflow silent, 15 s", "export_onnx", service("mlflow", "silent"), 15, until="upload_to_hub"),
    Case("pod killed", "log_to_mlflow", faults.pod_killed, tries=1),
    Case("database gone, 15 s", "log_to_mlflow", service("neondb", "gone"), 15, until="update_model_versions"),
    Case(
        "database out of connections, 15 s",
        "log_to_mlflow",
        faults.connections_taken,
        15,
        until="update_model_versions",
    ),
    Case("pod killed", "update_model_versions", faults.pod_killed, tries=1),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.fault}-{case.hit}".replace(" ", "-"))
@pytest.mark.usefixtures("model_in_production")
def test_a_fault_in_the_night(airflow, kubernetes, all_agree, observed, no_orphans, case):
    run_id = airflow.trigger(DAG, {"epochs": 3, "start": "auto", "seed": CASES.index(case)})
    case.strike(kubernetes, airflow, DAG, run_id)
    airflow.wait(DAG, run_id, 900)

    observed(DAG, run_id, case.fault, case.hit)
    assert airflow.run(DAG, run_id)["state"] == "success"
    assert case.tries in (None, airflow.tasks(DAG, run_id)[case.hit]["try_number"])
    all_agree(run_id)
    no_orphans(DAG)


@pytest.mark.usefixtures("model_in_production")
def test_a_run_that_is_cleared_and_run_again(airflow, all_agree, observed, no_orphans):
    """From publication on: the same commit, the same MLflow run, the same row."""
    run_id = airflow.trigger(DAG, {"epochs": 3, "start": "auto", "seed": 99})
    airflow.wait(DAG, run_id, 600)
    before = publication(airflow, run_id)
    body = {"dag_run_id": run_id, "task_ids": list(before), "dry_run": False, "only_failed": False}
    airflow.call("POST", f"dags/{DAG}/clearTaskInstances", json=body)
    airflow.wait(DAG, run_id, 600)

    observed(DAG, run_id, "cleared and run again", "upload_to_hub")
    assert publication(airflow, run_id) == before
    all_agree(run_id)
    no_orphans(DAG)


@pytest.mark.usefixtures("model_in_production")
def test_two_triggers_at_once_run_one_after_the_other(airflow, query, all_agree, observed, no_orphans):
    runs = [airflow.trigger(DAG, {"epochs": 2, "start": "auto", "seed": seed}) for seed in (101, 102)]
    for run_id in runs:
        airflow.wait(DAG, run_id, 900)

    ends = [airflow.run(DAG, run_id) for run_id in runs]
    observed(DAG, runs[1], "two triggers at once", "fine_tune", "the second waits for the first")
    assert [run["state"] for run in ends] == ["success", "success"]
    assert ends[1]["start_date"] >= ends[0]["end_date"]
    versions = [airflow.result(DAG, run_id, "evaluate")["version"] for run_id in runs]
    rows = query("SELECT version_name FROM model_versions WHERE version_name IN (%s, %s)", *versions)
    assert sorted(row["version_name"] for row in rows) == sorted(versions)
    all_agree(runs[1])  # by then the first may be in production no more
    no_orphans(DAG)
