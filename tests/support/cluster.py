"""Fixtures for the cluster of `make up`: Airflow, the sandbox, and access to their state."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import psycopg2.extras
import pytest
from kubernetes import client, config
from wakee_common.storage import ObjectStore

from wakee_tools.airflow import sandbox
from wakee_tools.airflow.client import Airflow
from wakee_tools.airflow.seed import seed as seed_sandbox

REPO = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def airflow() -> Iterator[Airflow]:
    installation = Airflow()
    for dag_id in installation.dags():
        installation.unpause(dag_id)
    yield installation
    installation.close()


@pytest.fixture
def retraining_paused(airflow, monkeypatch):
    """Keep triggered retrainings queued, and remove them after the test."""
    trigger = airflow.trigger

    def queued(dag_id, conf=None, run_id=None):
        waits = {"queue_while_paused": True} if dag_id == "drift_detection_daily" else {}
        return trigger(dag_id, waits | (conf or {}), run_id)

    monkeypatch.setattr(airflow, "trigger", queued)
    before = {run["dag_run_id"] for run in airflow.runs("model_retrain")}
    airflow.call("PATCH", "dags/model_retrain", json={"is_paused": True})
    yield
    for run in airflow.runs("model_retrain"):
        if run["dag_run_id"] not in before:
            airflow.call("DELETE", f"dags/model_retrain/dagRuns/{run['dag_run_id']}")
    airflow.unpause("model_retrain")


@pytest.fixture(scope="session")
def kubernetes() -> Iterator[client.CoreV1Api]:
    config.load_kube_config(os.environ["KUBECONFIG"])
    with client.ApiClient() as connection:
        yield client.CoreV1Api(connection)


@pytest.fixture(scope="session")
def query() -> Iterator[Callable[..., list[dict[str, object]]]]:
    """Return the rows of a query to the sandbox's PostgreSQL."""

    def rows(statement: str, *arguments: object) -> list[dict[str, object]]:
        connection = psycopg2.connect(
            sandbox.database().url.get_secret_value(), cursor_factory=psycopg2.extras.RealDictCursor
        )
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, arguments)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            connection.close()

    return rows


@pytest.fixture(scope="session")
def store() -> Iterator[ObjectStore]:
    bucket = sandbox.store()
    yield bucket
    bucket.close()


@pytest.fixture(scope="session")
def seed() -> Callable[..., None]:
    """Write annotations as `make seed` does, with flags of the seeder."""

    def run(*flags: str) -> None:
        seed_sandbox(*flags)

    return run


@pytest.fixture(scope="module")
def model_in_production(airflow, seed, query):
    """Ensure a model for the API to serve, and new annotations whose pictures exist."""
    seed("--reset", "--rows", "200", "--days", "7", "--seed", "7")
    if not query("SELECT 1 FROM model_versions WHERE is_production"):
        params = {"epochs": 1, "start": "random", "accept_any_first_model": True, "train_again": True}
        run_id = airflow.trigger("model_retrain", params)
        assert set(airflow.wait("model_retrain", run_id, 600).values()) == {"success"}
