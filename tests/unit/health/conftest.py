"""Everything that the health check looks at, as real services: PostgreSQL, S3, Hub, MLflow, API, sourcing page.

The services of the sandbox run from its own virtual environment, `.venvs/sandbox` (tools/bootstrap.py sandbox).
"""

import contextlib
import json
import logging
import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import psycopg2
import pytest
from typer.testing import CliRunner
from wakee_common import stage
from wakee_common.settings import R2Settings
from wakee_common.storage import ObjectStore

from support.ports import free_port
from support.waiting import wait_for

from .onnx_file import linear_model

# Read by huggingface_hub when it is imported.
os.environ |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

from wakee_health.cli import app

REPO = Path(__file__).parents[3]
SANDBOX = REPO / ".venvs" / "sandbox" / "bin" / "wakee-sandbox"
TOKEN = "hf_sandbox"
REPOSITORY, REGISTERED = "wakee/emotions", "wakee-emotions"
VERSION = "v20260401-1a2b3c4d"
BUCKET = "wakee-health"
PASSING = ("PATH", "HOME", "LANG")
CHECKS = ("test_api", "test_database", "test_storage", "test_app_sourcing", "test_model_hub", "run_pytest_suite")


@dataclass(frozen=True)
class Service:
    """A command of the sandbox in a process of its own."""

    arguments: list[str]
    environment: dict[str, str]
    url: str
    alive: str
    log: Path

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        assert SANDBOX.exists(), "tools/bootstrap.py sandbox makes the environment that these tests need"
        environment = {name: os.environ[name] for name in PASSING if name in os.environ} | self.environment
        with self.log.open("wb") as log:
            command = [str(SANDBOX), *self.arguments]
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        try:
            yield
        finally:
            os.killpg(process.pid, 15)
            process.wait(30)

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.url}{self.alive}", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False


def administer(url: str, statement: str) -> None:
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


@dataclass(frozen=True)
class World:
    """The services, and a way to run stages as Airflow would."""

    environment: dict[str, str]
    store: ObjectStore
    folder: Path
    logs: list[str] = field(default_factory=list)
    """What each stage run so far has logged."""

    def url(self, name: str) -> str:
        return self.environment[name]

    def but(self, **variables: str) -> "World":
        """The same world with other settings."""
        return replace(self, environment=self.environment | variables)

    def stage(self, name: str, exit_code: int = 0, run_id: str = "run-1", **flags: Any) -> dict[str, Any]:
        """Run a stage; returns what Airflow would get."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        xcom, termination_log = folder / "return.json", folder / "termination-log"
        termination_log.touch()
        variables = {**self.environment, "WAKEE_RUN_ID": run_id, "WAKEE_TASK_ID": name.replace("-", "_")}
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stage, "XCOM_FILE", xcom)
            patch.setattr(stage, "TERMINATION_LOG", termination_log)
            patch.setattr(logging.root, "handlers", [])
            patch.setattr(logging.root, "level", logging.root.level)
            outcome = CliRunner().invoke(app, [name, *arguments(flags)], env=variables)
        self.logs.append(outcome.output)
        assert outcome.exit_code == exit_code, (outcome.output, xcom.read_text())
        result = dict(json.loads(xcom.read_text()))
        assert termination_log.read_text() == result.get("cause", "")
        return result

    def cause(self, name: str, exit_code: int = 1, **flags: Any) -> str:
        """Run a stage that fails; returns its cause."""
        result = self.stage(name, exit_code, **flags)
        assert result["status"] == "failed"
        return str(result["cause"])

    def summary(self, checks: dict[str, Any], exit_code: int = 0, run_id: str = "run-1", **flags: Any) -> Any:
        return self.stage("generate-summary", exit_code, run_id, results=json.dumps(checks), **flags)

    def execute(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        opened = contextlib.closing(psycopg2.connect(self.url("NEON_DATABASE_URL")))
        with opened as connection, connection, connection.cursor() as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

    @contextlib.contextmanager
    def fault(self, service: str, mode: str, seconds: float = 20) -> Iterator[None]:
        """A misbehaving service, for a while."""
        switch = f"{self.url(service)}/_fault"
        httpx.post(switch, json={"mode": mode, "seconds": seconds}).raise_for_status()
        try:
            yield
        finally:
            httpx.post(switch, json={"mode": "none"}).raise_for_status()

    def commit(self, files: dict[str, bytes]) -> None:
        """Commit to the Hub's main, and wait until the API serves it."""
        commit = self.push(files)
        wait_for(lambda: self.revision() == commit, 120, "the API serves the new model")

    def push(self, files: dict[str, bytes], repository: str = REPOSITORY) -> str:
        """Commit to the Hub's main."""
        from huggingface_hub import CommitOperationAdd, HfApi

        api = HfApi(endpoint=self.url("HF_ENDPOINT"), token=TOKEN)
        api.create_repo(repository, exist_ok=True)
        operations = [CommitOperationAdd(name, content) for name, content in files.items()]
        return str(api.create_commit(repository, operations, commit_message="new files").oid)

    def revision(self) -> str | None:
        revision: str | None = httpx.get(f"{self.url('WAKEE_API_URL')}/health").json()["model_revision"]
        return revision

    def register(self, version: str) -> None:
        """A new registered version with the alias champion."""
        with httpx.Client(base_url=f"{self.url('MLFLOW_TRACKING_URI')}/api/2.0/mlflow", timeout=60) as mlflow:
            mlflow.post("/registered-models/create", json={"name": REGISTERED})
            tags = [{"key": "wakee.version", "value": version}]
            run = mlflow.post("/runs/create", json={"experiment_id": "0"}).raise_for_status().json()["run"]["info"]
            source = {"source": f"{run['artifact_uri']}/model", "run_id": run["run_id"]}
            body = {"name": REGISTERED, "tags": tags, **source}
            made = mlflow.post("/model-versions/create", json=body).raise_for_status().json()["model_version"]
            alias = {"name": REGISTERED, "alias": "champion", "version": made["version"]}
            mlflow.post("/registered-models/alias", json=alias).raise_for_status()


def arguments(flags: dict[str, Any]) -> list[str]:
    given = []
    for flag, value in flags.items():
        values = value if isinstance(value, list) else [value]
        given += [f"--{flag.replace('_', '-')}" if v is True else f"--{flag.replace('_', '-')}={v}" for v in values]
    return given


def files(model: bytes = b"", version: str = VERSION) -> dict[str, bytes]:
    """What main holds."""
    return {
        "model.onnx": model or linear_model(),
        "model.safetensors": b"weights",
        "README.md": b"# Emotions",
        "config.json": json.dumps({"version": version}).encode(),
    }


@pytest.fixture(scope="session")
def world(postgres_server: Any, s3_endpoint: str) -> Iterator[World]:
    """All services, with a model in production everywhere and a few annotations with their pictures."""
    folder = Path(tempfile.mkdtemp(prefix="wakee-health-tests-"))
    for name, template in (("health", "migrated"), ("mlflow", "template1")):
        administer(postgres_server.url(), f"CREATE DATABASE {name} TEMPLATE {template}")
    r2 = {
        "R2_ACCESS_KEY_ID": "test-key",
        "R2_SECRET_ACCESS_KEY": "test-secret",
        "R2_BUCKET_NAME": BUCKET,
        "R2_ENDPOINT_URL": s3_endpoint,
        "R2_ATTEMPTS": "2",
    }
    store = ObjectStore(R2Settings.model_validate(r2))
    store._client.create_bucket(Bucket=BUCKET)
    urls = {name: f"http://127.0.0.1:{free_port()}" for name in ("hub", "mlflow", "api", "sourcing")}
    environment = {
        **r2,
        "NEON_DATABASE_URL": postgres_server.url("health"),
        "DATABASE_WAKE_UP_SECONDS": "1",
        "HF_ENDPOINT": urls["hub"],
        "HF_TOKEN": TOKEN,
        "HF_MODEL_REPO": REPOSITORY,
        "HF_POLL_SECONDS": "0.1",
        "MLFLOW_TRACKING_URI": urls["mlflow"],
        "MLFLOW_BACKEND_STORE_URI": postgres_server.url("mlflow"),
        "WAKEE_API_URL": urls["api"],
        "APP_SOURCING_URL": urls["sourcing"],
        "WAKEE_DAG_ID": "health_check_weekly",
        "WAKEE_GIT_COMMIT": "0123456789abcdef0123456789abcdef01234567",
        "WAKEE_IMAGE": "wakee/health:test",
        "HEALTH_TIMEOUT_SECONDS": "10",
    }
    alive = {"hub": "/health", "mlflow": "/health", "api": "/_live", "sourcing": "/_live"}
    with contextlib.ExitStack() as stack:
        services = []
        for name, url in urls.items():
            data = ["--data", str(folder / name)] if name == "hub" else []
            command = [name, *data, "--port", url.rpartition(":")[2]]
            services.append(Service(command, environment, url, alive[name], folder / f"{name}.log"))
            stack.enter_context(services[-1].running())
        for service in services:
            wait_for(service.answers, 120, service.arguments[0])
        made = World(environment, store, folder)
        made.commit(files())
        made.register(VERSION)
        made.execute(
            "INSERT INTO model_versions (version_name, is_production, deployed_at) VALUES (%s, true, now())", [VERSION]
        )
        yield made
    shutil.rmtree(folder)


@pytest.fixture(autouse=True)
def annotations(world: World) -> None:
    """Four fresh annotations, and nothing else in tables and bucket."""
    world.execute("TRUNCATE emotion_labels, health_reports RESTART IDENTITY")
    for key in list(world.store.list_keys("")):
        if not key.startswith("mlflow"):
            world.store.delete(world.store.uri(key))
    for number in range(4):
        world.store.put_bytes(world.store.uri(f"face-{number}.jpg"), b"picture")
        world.execute(
            "INSERT INTO emotion_labels (img_name, s3_path, predicted_boredom, predicted_confusion,"
            " predicted_engagement, predicted_frustration, user_boredom, user_confusion, user_engagement,"
            " user_frustration, timestamp, is_validated)"
            " VALUES (%s, %s, 1, 1, 1, 1, 1, 1, 1, 1, now() AT TIME ZONE 'utc', true)",
            [f"face-{number}.jpg", f"face-{number}.jpg"],
        )


@pytest.fixture
def silent_port() -> Iterator[int]:
    """A port that takes connections and never says anything."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(64)
        yield int(listener.getsockname()[1])


@pytest.fixture
def closed_port() -> int:
    """A port that nothing listens on."""
    return free_port()
