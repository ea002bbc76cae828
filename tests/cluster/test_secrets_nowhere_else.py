"""No secret is anywhere but in its Secret: searched for in all that the runs of the tests before this one left."""

import json
import subprocess
from base64 import b64decode
from urllib.parse import urlsplit

import httpx
import pytest

from wakee_tools.airflow.sandbox import environment

SHORTEST_SECRET = 12
"""Shorter values in the Secrets are names of users and databases."""
HUB, MLFLOW = "http://localhost:8081", "http://localhost:5000"


def _secrets(kubernetes):
    """Every value of every Secret of ours, and the passwords inside of addresses."""
    values = [
        b64decode(value).decode()
        for namespace in ("airflow", "wakee")
        for secret in kubernetes.list_namespaced_secret(namespace, field_selector="type=Opaque").items
        for value in secret.data.values()
    ]
    passwords = [urlsplit(value).password for value in values if "://" in value and "@" in value]
    return {value for value in [*values, *passwords] if value and len(value) >= SHORTEST_SECRET}


def _pod_specs():
    for namespace in ("wakee", "airflow"):
        yield subprocess.run(
            ["kubectl", "get", "pods,jobs,deployments,statefulsets,configmaps,events", "-n", namespace, "-o", "json"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout


def _objects(store, prefix):
    for key in store.list_keys(prefix):
        yield store.get_bytes(store.uri(key)).decode(errors="replace")


def _task_instances(airflow):
    """Task instances with their rendered fields, and XComs, of every run."""
    for dag_id in airflow.dags():
        for run in airflow.runs(dag_id):
            path = f"dags/{dag_id}/dagRuns/{run['dag_run_id']}/taskInstances"
            yield json.dumps(airflow.call("GET", path))
            for entry in airflow.call("GET", f"{path}/~/xcomEntries", params={"limit": 1000})["xcom_entries"]:
                yield json.dumps(airflow.call("GET", f"{path}/{entry['task_id']}/xcomEntries/{entry['key']}"))


def _mlflow():
    api = f"{MLFLOW}/api/2.0/mlflow"
    experiments = httpx.post(f"{api}/experiments/search", json={"max_results": 100}).raise_for_status().json()
    ids = [experiment["experiment_id"] for experiment in experiments["experiments"]]
    yield httpx.post(f"{api}/runs/search", json={"experiment_ids": ids, "max_results": 1000}).raise_for_status().text
    yield httpx.post(f"{api}/registered-models/search", json={}).text
    for experiment in ids:
        runs = httpx.post(f"{api}/runs/search", json={"experiment_ids": [experiment], "max_results": 3}).json()
        for run in runs.get("runs", []):
            yield from _mlflow_texts(run["info"]["run_id"], "")


def _mlflow_texts(run_id, folder):
    """The artefacts of a run that are text."""
    asked = {"run_id": run_id, "path": folder}
    listing = httpx.get(f"{MLFLOW}/api/2.0/mlflow/artifacts/list", params=asked).raise_for_status().json()
    for file in listing.get("files", []):
        if file.get("is_dir"):
            yield from _mlflow_texts(run_id, file["path"])
        elif file["path"].endswith((".json", ".md", ".txt", ".yaml", ".yml")):
            asked = {"run_id": run_id, "path": file["path"]}
            yield httpx.get(f"{MLFLOW}/get-artifact", params=asked).raise_for_status().text


def _model_card():
    token = {"Authorization": f"Bearer {environment('secrets.env')['HF_TOKEN']}"}
    for name in ("README.md", "config.json"):
        answer = httpx.get(f"{HUB}/wakee/emotions/resolve/main/{name}", headers=token, follow_redirects=True)
        yield answer.raise_for_status().text


@pytest.mark.usefixtures("model_in_production")
def test_no_secret_is_anywhere(airflow, kubernetes, store, stage_pods_seen):
    secrets = _secrets(kubernetes)
    assert {"fetch_annotations", "fine_tune", "test_api"} <= stage_pods_seen.keys()
    places = {
        "stage pods as they ran": list(stage_pods_seen.values()),
        "pod specs, jobs, ConfigMaps, events": _pod_specs(),
        "task logs in R2": _objects(store, "airflow-logs/"),
        "results and reports in R2": _objects(store, "runs/"),
        "task instances, rendered fields, XComs": _task_instances(airflow),
        "MLflow runs and models": _mlflow(),
        "model card and configuration": _model_card(),
    }
    found, searched = {}, {}
    for place, texts in places.items():
        found[place], count, size = set(), 0, 0
        for text in texts:
            found[place] |= {secret for secret in secrets if secret in text}
            count, size = count + 1, size + len(text)
        searched[place] = f"{count} texts, {size} characters"
    print("\n".join(["", *(f"{place}: {size}" for place, size in searched.items())]))
    assert len(secrets) > 8
    assert not any(found.values()), {place: len(leaked) for place, leaked in found.items()}
    assert all(not size.startswith("0 ") for size in searched.values()), searched
