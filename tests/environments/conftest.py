"""A staging environment beside the installation of `make up`, in namespaces of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg2
import pytest
import yaml

from support.cluster import REPO, airflow, kubernetes, query, store
from support.images import image_of
from support.ports import free_port
from support.production import hub, production
from support.waiting import wait_for
from wakee_tools.airflow import sandbox
from wakee_tools.airflow.client import Airflow
from wakee_tools.airflow.sandbox import environment
from wakee_tools.deploy.secrets import connections
from wakee_tools.shell import ToolError

__all__ = ["airflow", "hub", "kubernetes", "production", "query", "store"]

MLFLOW = "http://localhost:5000/api/2.0/mlflow"
HERE = Path(__file__).parent
WAKEE = str(Path(sys.executable).with_name("wakee"))
STAGES, AIRFLOW = "wakee-staging", "airflow-staging"
DATABASES = {"wakee_staging": "TEMPLATE wakee", "airflow_staging": ""}
NOTHING_IN_PRODUCTION = "UPDATE model_versions SET is_production = false"
"""docs/staging.md: what a branch of the database needs, because the Hub repository of the environment is empty."""
COPIED = ("airflow-fernet-key", "airflow-api-secret-key", "airflow-jwt-secret", "airflow-users")
IN_SANDBOX = {
    "R2_ENDPOINT_URL": "http://r2.wakee:8333",
    "HF_ENDPOINT": "http://hub.wakee:8080",
    "MLFLOW_TRACKING_URI": "http://mlflow.wakee:5000",
    "WAKEE_API_URL": "http://api.wakee:8000",
    "APP_SOURCING_URL": "http://sourcing.wakee:8501",
}
OWN = {
    "R2_PREFIX": "staging/",
    "HF_MODEL_REPO": "wakee/emotions-staging",
    "MLFLOW_EXPERIMENT_NAME": "wakee-retrain-staging",
    "MLFLOW_MODEL_NAME": "wakee-emotions-staging",
}


def kubectl(*arguments: str, text: str | None = None) -> str:
    done = subprocess.run(["kubectl", *arguments], input=text, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def on_the_database(name: str, *statements: str) -> None:
    """Run statements as the owner of the databases, outside a transaction."""
    url = f"{sandbox.database().url.get_secret_value().removesuffix('/wakee')}/{name}"
    connection = psycopg2.connect(url)
    connection.autocommit = True
    try:
        with connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
    finally:
        connection.close()


@pytest.fixture(scope="session")
def databases() -> Iterator[None]:
    """A copy of production's database, as a branch of NeonDB would be, and one for Airflow."""
    ended = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname IN ('wakee', 'wakee_staging')"
    drop = [f"DROP DATABASE IF EXISTS {name} WITH (FORCE)" for name in DATABASES]
    on_the_database("mlflow", *drop, ended, *(f"CREATE DATABASE {name} {source}" for name, source in DATABASES.items()))
    on_the_database("wakee_staging", NOTHING_IN_PRODUCTION)
    yield
    on_the_database("mlflow", *drop)


@pytest.fixture(scope="session")
def nothing_published(hub, store) -> None:
    """Delete what an earlier run of these tests published, and wrote to the bucket."""
    namespace, name = OWN["HF_MODEL_REPO"].split("/")
    hub.request("DELETE", "/api/repos/delete", json={"type": "model", "organization": namespace, "name": name})
    httpx.request("DELETE", f"{MLFLOW}/registered-models/delete", json={"name": OWN["MLFLOW_MODEL_NAME"]})
    for key in list(store.list_keys(OWN["R2_PREFIX"])):
        store.delete(store.uri(key))


@pytest.fixture(scope="session")
def settings_file(tmp_path_factory) -> Path:
    """The settings file of the environment: the sandbox's services, with state of its own."""
    folder = tmp_path_factory.mktemp("environments")
    (folder / "network.yaml").write_text((HERE / "network.yaml").read_text())
    names = ("airflow", "drift", "health", "train")
    stages = environment("config.env") | IN_SANDBOX | OWN
    preset = yaml.safe_load((REPO / "helm/values-kind.yaml").read_text())
    service = {"type": "ClusterIP", "ports": [{"name": "api-server", "port": 8080}]}
    settings = {
        "name": "staging",
        "namespaces": {"stages": STAGES, "airflow": AIRFLOW},
        "images": {name: image_of(name) for name in names},  # the sidecar runs from the drift image
        "stages": stages,
        "airflow": {
            "url": "http://localhost:8080",
            "logs": "s3://wakee-bucket/staging/airflow-logs",
            "preset": "values-kind.yaml",
            "variables": {name: value for name, value in environment("airflow.env").items() if "WEBHOOK" not in name},
            "values": {"apiServer": preset["apiServer"] | {"service": service}},
        },
        "monitoring": False,
        "resources": ["network.yaml"],
    }
    path = folder / "staging.yaml"
    path.write_text(yaml.safe_dump(settings))
    return path


@pytest.fixture(scope="session")
def secrets(databases) -> Iterator[None]:
    """Both namespaces with the Secrets of docs/production.md; deleted with all that is in them afterwards."""
    credentials = environment("secrets.env")
    server = credentials["NEON_DATABASE_URL"].replace("@neondb:", "@neondb.wakee:").removesuffix("/wakee")
    metadata = {"connection": server.replace("postgresql://", "postgresql+psycopg2://") + "/airflow_staging"}
    made = {
        (STAGES, "wakee-secrets"): credentials | {"NEON_DATABASE_URL": f"{server}/wakee_staging"},
        (AIRFLOW, "airflow-metadata"): metadata,
        (AIRFLOW, "airflow-connections"): connections(credentials),
    }
    kubectl("delete", "namespace", STAGES, AIRFLOW, "--ignore-not-found", "--wait")
    for namespace in (STAGES, AIRFLOW):
        kubectl("create", "namespace", namespace)
    for (namespace, name), values in made.items():
        literals = [f"--from-literal={key}={value}" for key, value in values.items()]
        kubectl("-n", namespace, "create", "secret", "generic", name, *literals)
    for name in COPIED:
        secret = yaml.safe_load(kubectl("-n", "airflow", "get", "secret", name, "-o", "yaml"))
        secret["metadata"] = {"name": name}
        kubectl("-n", AIRFLOW, "apply", "-f", "-", text=yaml.safe_dump(secret))
    yield
    kubectl("delete", "namespace", STAGES, AIRFLOW, "--wait")


def wakee(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([WAKEE, *arguments], capture_output=True, text=True, env=os.environ | {"CLUSTER": ""})


@pytest.fixture(scope="session")
def staging(settings_file, secrets, nothing_published) -> Iterator[Airflow]:
    """Airflow of the staging environment, reached through a forwarded port."""
    applied = wakee("environment", "apply", str(settings_file))
    assert applied.returncode == 0, applied.stdout + applied.stderr
    port = free_port()
    forward = ["kubectl", "-n", AIRFLOW, "port-forward", "service/airflow-api-server", f"{port}:8080"]
    with subprocess.Popen(forward, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        installation = Airflow(f"http://localhost:{port}")
        try:
            wait_for(lambda: _answers(installation), 60, "the forwarded port answers")
            installation.wait_for_dags({"model_retrain", "drift_detection_daily"}, 180)
            yield installation
        finally:
            installation.close()
            process.terminate()


def _answers(installation: Airflow) -> bool:
    try:
        return bool(installation.call("GET", "version"))
    except ToolError:
        return False
