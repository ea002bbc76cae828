"""The cluster that `make up` leaves: Airflow, the sandbox, and ways to look into them."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg2
import psycopg2.extras
import pytest
from kubernetes import client, config
from wakee_common.settings import R2Settings
from wakee_common.storage import ObjectStore

from ops.airflow import Airflow

REPO = Path(__file__).parents[2]


def environment(name: str) -> dict[str, str]:
    """The variables of one of the kind overlay's files."""
    lines = (REPO / "k8s/overlays/kind" / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="session")
def airflow() -> Airflow:
    installation = Airflow()
    for dag_id in installation.dags():
        if dag_id != "model_retrain":
            installation.unpause(dag_id)
    return installation


@pytest.fixture
def retraining_paused(airflow):
    """Triggered retrainings stay queued, and are removed after the test."""
    before = {run["dag_run_id"] for run in airflow.runs("model_retrain")}
    airflow.call("PATCH", "dags/model_retrain", json={"is_paused": True})
    yield
    for run in airflow.runs("model_retrain"):
        if run["dag_run_id"] not in before:
            airflow.call("DELETE", f"dags/model_retrain/dagRuns/{run['dag_run_id']}")
    airflow.unpause("model_retrain")


@pytest.fixture(scope="session")
def kubernetes() -> client.CoreV1Api:
    config.load_kube_config(os.environ["KUBECONFIG"])
    return client.CoreV1Api()


@pytest.fixture(scope="session")
def query() -> Iterator[Callable[..., list[dict[str, object]]]]:
    """Rows of a query to the sandbox's PostgreSQL."""
    url = environment("secrets.env")["NEON_DATABASE_URL"].replace("@neondb:5432", "@localhost:15432")

    def rows(statement: str, *arguments: object) -> list[dict[str, object]]:
        connection = psycopg2.connect(url, cursor_factory=psycopg2.extras.RealDictCursor)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, arguments)
                return [dict(row) for row in cursor.fetchall()] if cursor.description else []
        finally:
            connection.close()

    return rows


@pytest.fixture(scope="session")
def store() -> ObjectStore:
    variables = environment("secrets.env") | environment("config.env")
    return ObjectStore(R2Settings.model_validate(variables | {"R2_ENDPOINT_URL": "http://localhost:8333"}))


@pytest.fixture(scope="session")
def seed() -> Callable[..., None]:
    """Write annotations with `make seed`'s own script; the flags are the seeder's."""

    def run(*flags: str) -> None:
        subprocess.run([REPO / "hack/seed.sh", *flags], check=True, stdout=subprocess.DEVNULL)

    return run
