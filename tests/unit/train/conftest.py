"""A whole world for retraining: PostgreSQL, S3, the Hub double and a real MLflow server, with drawn faces in them.

The services of the sandbox run from its own virtual environment, `.venvs/sandbox` (tools/bootstrap.py sandbox).
"""

import functools
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg2
import pytest
from psycopg2.extras import execute_values
from typer.testing import CliRunner
from wakee_common import stage
from wakee_common.settings import DatabaseSettings, R2Settings
from wakee_common.storage import ObjectStore
from wakee_contract.emotions import EMOTIONS

from support.ports import free_port
from support.waiting import wait_for

REPO = Path(__file__).parents[3]
SANDBOX = REPO / ".venvs" / "sandbox" / "bin" / "wakee-sandbox"
TOKEN = "hf_sandbox"
PASSING = ("PATH", "HOME", "LANG", "OMP_NUM_THREADS")
sys.path.append(str(REPO / "images" / "sandbox" / "src"))  # for its faces, which need nothing but Pillow and numpy
# One thread is enough for so small a model; two on busy cores wait for each other most of the time.
os.environ |= {"OMP_NUM_THREADS": "1"}
# Read by huggingface_hub when it is imported.
os.environ |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}

from wakee_train.cli import app  # noqa: E402 - after the variables above


@functools.cache
def face(identity: int) -> tuple[bytes, tuple[float, ...]]:
    """A drawn face as a JPEG file, and its four levels."""
    from wakee_sandbox.faces import draw

    levels = tuple(np.random.default_rng(identity).uniform(0, 3, 4).round(3).tolist())
    file = io.BytesIO()
    draw(levels, identity).save(file, "JPEG", quality=88)
    return file.getvalue(), levels


@dataclass
class Server:
    """A service of the sandbox in a process of its own."""

    arguments: list[str]
    environment: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        assert SANDBOX.exists(), "tools/bootstrap.py sandbox makes the environment that these tests need"
        with self.log.open("wb") as log:
            environment = {name: os.environ[name] for name in PASSING if name in os.environ} | self.environment
            command = [str(SANDBOX), *self.arguments]
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)

    def answers(self, url: str) -> bool:
        import httpx2

        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-3000:]
        try:
            return bool(httpx2.get(url, timeout=2).status_code == 200)
        except httpx2.HTTPError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            os.killpg(self.process.pid, 15)
            self.process.wait(30)


@pytest.fixture(scope="session")
def service_folder() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="wakee-train-tests-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def hub_url(service_folder: Path) -> Iterator[str]:
    port = free_port()
    environment = {"HF_TOKEN": TOKEN, "HF_SANDBOX_USER": "wakee"}
    arguments = ["hub", "--data", str(service_folder / "hub"), "--port", str(port)]
    server = Server(arguments, environment, service_folder / "hub.log")
    server.start()
    try:
        wait_for(lambda: server.answers(f"http://127.0.0.1:{port}/health"), 60, "the Hub double")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.stop()


@pytest.fixture(scope="session")
def mlflow_server(service_folder: Path, postgres_server: Any, s3_endpoint: str) -> Iterator[tuple[Server, str]]:
    """MLflow and its address; it takes long to start, and most tests need only the address."""
    _administer(postgres_server.url(), "CREATE DATABASE mlflow")
    port = free_port()
    environment = {**_r2_environment(s3_endpoint), "MLFLOW_BACKEND_STORE_URI": postgres_server.url("mlflow")}
    server = Server(["mlflow", "--port", str(port)], environment, service_folder / "mlflow.log")
    server.start()
    try:
        yield server, f"http://127.0.0.1:{port}"
    finally:
        server.stop()


@pytest.fixture(scope="session")
def mlflow_url(mlflow_server: tuple[Server, str]) -> str:
    """The address, once MLflow answers."""
    server, url = mlflow_server
    wait_for(lambda: server.answers(f"{url}/health"), 120, "MLflow")
    return url


def _administer(url: str, statement: str) -> None:
    connection = psycopg2.connect(url)
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


def _r2_environment(endpoint: str) -> dict[str, str]:
    return {
        "R2_ACCESS_KEY_ID": "test-key",
        "R2_SECRET_ACCESS_KEY": "test-secret",
        "R2_BUCKET_NAME": "wakee-test",
        "R2_ENDPOINT_URL": endpoint,
    }


@dataclass
class World:
    """Everything around the stages, and a way to run them as Airflow would."""

    environment: dict[str, str]
    store: ObjectStore
    database: DatabaseSettings
    xcom: Path

    def execute(self, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
        connection = psycopg2.connect(self.database.url.get_secret_value())
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement, values)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def add_faces(self, identities: range) -> None:
        """Annotate and store drawn faces."""
        for identity in identities:
            content, levels = face(identity)
            self.add_picture(f"face-{identity:05d}.jpg", content, levels)

    def add_picture(self, name: str, content: bytes | None, levels: Any, validated: bool = True) -> None:
        if content is not None:
            self.store.put_bytes(self.store.uri(name), content, "image/jpeg")
        columns = ["img_name", "s3_path", "is_validated", *(f"predicted_{e}" for e in EMOTIONS)]
        columns += [f"user_{e}" for e in EMOTIONS]
        row = (name, name, validated, 1.0, 1.0, 1.0, 1.0, *levels)
        connection = psycopg2.connect(self.database.url.get_secret_value())
        with connection, connection.cursor() as cursor:
            execute_values(cursor, f"INSERT INTO emotion_labels ({', '.join(columns)}) VALUES %s", [row])
        connection.close()

    def stage(self, name: str, run_id: str = "run-1", exit_code: int = 0, **flags: Any) -> dict[str, Any]:
        """Run one stage of a run; returns what Airflow would get."""
        arguments = [
            f"--{flag.replace('_', '-')}" + ("" if value is True else f"={value}") for flag, value in flags.items()
        ]
        variables = self.variables(name, run_id)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(stage, "XCOM_FILE", self.xcom)
            outcome = CliRunner().invoke(app, [name, *arguments], env=variables)
        assert outcome.exit_code == exit_code, (outcome.output, outcome.exception)
        return dict(json.loads(self.xcom.read_text()))

    def variables(self, name: str, run_id: str = "run-1") -> dict[str, str]:
        return {**self.environment, "WAKEE_RUN_ID": run_id, "WAKEE_TASK_ID": name.replace("-", "_")}

    def read(self, uri: str) -> bytes:
        from wakee_common.uris import R2Uri

        return self.store.get_bytes(R2Uri.parse(uri))

    def read_json(self, uri: str) -> Any:
        return json.loads(self.read(uri))

    def prepare(self, run_id: str = "run-1") -> dict[str, Any]:
        """The first two stages."""
        fetched = self.stage("fetch-training-data", run_id, min_samples=10)
        return self.stage("split-dataset", run_id, manifest=fetched["manifest_uri"])

    def train(self, run_id: str = "run-1", splits: str = "", exit_code: int = 0, **flags: Any) -> dict[str, Any]:
        given = {"splits": splits or self.prepare(run_id)["splits_uri"], **SMALL, **flags}
        return self.stage("fine-tune", run_id, exit_code, **given)

    def retrain(
        self,
        run_id: str,
        gate: dict[str, Any] | None = None,
        drift_report_id: int | None = None,
        int8: bool = False,
        **flags: Any,
    ) -> dict[str, dict[str, Any]]:
        """All eight stages; the result of each by its name."""
        split = self.prepare(run_id)
        tuned = self.train(run_id, split["splits_uri"], **flags)
        return {"split": split, "tune": tuned} | self.after_training(run_id, tuned, gate, drift_report_id, int8)

    def after_training(
        self,
        run_id: str,
        tuned: dict[str, Any],
        gate: dict[str, Any] | None = None,
        drift_report_id: int | None = None,
        int8: bool = False,
    ) -> dict[str, dict[str, Any]]:
        training, options = tuned["training_uri"], {"int8": True, "int8_mae_limit": 1} if int8 else {}
        evaluated = self.stage("evaluate", run_id, training=training, **(gate or {}))
        exported = self.stage("export-onnx", run_id, training=training, parity_samples=16, **options)
        uris = {"evaluation": evaluated["evaluation_uri"], "export": exported["export_uri"]}
        published = self.stage("upload-to-hub", run_id, **uris, drift_report_id=drift_report_id)
        tracked = self.stage("log-to-mlflow", run_id, publication=published["publication_uri"])
        updated = self.stage("update-model-versions", run_id, tracking=tracked["tracking_uri"])
        names = ("evaluate", "export", "publish", "track", "update")
        return dict(zip(names, (evaluated, exported, published, tracked, updated), strict=True))


SMALL = {
    "backbone": "test_efficientnet",
    "image_size": 112,
    "epochs": 2,
    "batch_size": 16,
    "learning_rate": 0.005,
    "start": "random",
}


@pytest.fixture(scope="session")
def make_world(
    postgres_server: Any, s3_endpoint: str, hub_url: str, mlflow_server: tuple[Server, str]
) -> Callable[[Path], World]:
    """Makes worlds that share servers, but no database, bucket, repository, experiment or registered model."""

    def make(folder: Path) -> World:
        name = f"train_{uuid.uuid4().hex[:12]}"
        _administer(postgres_server.url(), f"CREATE DATABASE {name} TEMPLATE migrated")
        r2 = _r2_environment(s3_endpoint) | {"R2_BUCKET_NAME": name.replace("_", "-")}
        settings = R2Settings.model_validate({**r2, "R2_TRANSFERS": 8})
        store = ObjectStore(settings)
        store._client.create_bucket(Bucket=settings.bucket)
        environment = {
            **r2,
            "NEON_DATABASE_URL": postgres_server.url(name),
            "HF_ENDPOINT": hub_url,
            "HF_TOKEN": TOKEN,
            "HF_MODEL_REPO": f"wakee/{name}",
            "MLFLOW_TRACKING_URI": mlflow_server[1],
            "MLFLOW_EXPERIMENT_NAME": name,
            "MLFLOW_MODEL_NAME": name,
            "WAKEE_DAG_ID": "model_retrain",
            "WAKEE_GIT_COMMIT": "0123456789abcdef0123456789abcdef01234567",
            "WAKEE_IMAGE": "wakee/train:test",
        }
        xcom = folder / "xcom" / "return.json"
        xcom.parent.mkdir()
        return World(environment, store, postgres_server.settings(name), xcom)

    return make


@pytest.fixture
def world(make_world: Callable[[Path], World], tmp_path: Path) -> Iterator[World]:
    """A world without rows, pictures or models."""
    made = make_world(tmp_path)
    yield made
    # Every bucket takes volumes of the S3 server, of which there are a hundred.
    for key in list(made.store.list_keys("")):
        made.store.delete(made.store.uri(key))
    made.store._client.delete_bucket(Bucket=made.store.bucket)
