"""MLflow is asked over HTTP by a name, as another pod asks it."""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from wakee_common.settings import DatabaseSettings
from wakee_common.storage import ObjectStore

from support.ports import free_port

from .conftest import sandbox_service


@pytest.fixture(scope="module")
def mlflow(data_root: Path, database: DatabaseSettings, r2_environment: dict[str, str]) -> Iterator[httpx.Client]:
    port = free_port()
    backend = database.url.get_secret_value().removesuffix("/wakee") + "/mlflow"
    environment = {**r2_environment, "MLFLOW_BACKEND_STORE_URI": backend}
    service = sandbox_service(["mlflow", "--port", str(port)], environment, data_root / "mlflow.log")
    url = f"http://127.0.0.1:{port}"
    try:
        service.start().wait_for_answer(f"{url}/health")
        with httpx.Client(base_url=url, headers={"host": f"mlflow.wakee.svc:{port}"}, timeout=20) as client:
            yield client
    finally:
        service.stop(signal.SIGTERM)


def test_run_is_recorded(mlflow: httpx.Client) -> None:
    run = mlflow.post(
        "/api/2.0/mlflow/runs/create", json={"experiment_id": "0", "run_name": "a run"}
    ).raise_for_status()
    run_id = run.json()["run"]["info"]["run_id"]
    metric = {"run_id": run_id, "key": "mae", "value": 0.25, "timestamp": 1, "step": 0}
    mlflow.post("/api/2.0/mlflow/runs/log-metric", json=metric).raise_for_status()

    found = mlflow.get("/api/2.0/mlflow/runs/get", params={"run_id": run_id}).json()["run"]
    assert found["data"]["metrics"][0]["value"] == 0.25


def test_artefact_lands_in_the_bucket_without_credentials_of_the_client(
    mlflow: httpx.Client, store: ObjectStore
) -> None:
    mlflow.put("/api/2.0/mlflow-artifacts/artifacts/0/run/artifacts/a.txt", content=b"artefact").raise_for_status()
    assert store.get_bytes(store.uri("mlflow/0/run/artifacts/a.txt")) == b"artefact"
