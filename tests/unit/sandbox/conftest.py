"""Real services, started as a pod would start them: one process each, on a free port, as a user that is not root."""

import contextlib
import json
import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
from wakee_common.database import transact
from wakee_common.migrations.cli import upgrade_database
from wakee_common.settings import DatabaseSettings, R2Settings
from wakee_common.storage import ObjectStore
from wakee_sandbox import s3

from support.ports import consecutive_ports, free_port
from support.sandbox import HUB_ACCOUNTS, HUB_TOKEN, Service

COMMAND = str(Path(sys.executable).parent / "wakee-sandbox")
# The Python under test may lie in root's home, so nobody keeps the right to read, and only that.
READING = [f"--{kind}-caps=+dac_read_search" for kind in ("inh", "ambient")]
AS_NOBODY = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", *READING] if os.geteuid() == 0 else []


def sandbox_service(arguments: list[str], environment: dict[str, str], log: Path) -> Service:
    """A command of the sandbox under test."""
    variables = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **environment}
    return Service(arguments, variables, log, [*AS_NOBODY, COMMAND])


@contextlib.contextmanager
def open_directory() -> Iterator[Path]:
    """A directory that the services' user may write to; pytest's own are private to root."""
    path = Path(tempfile.mkdtemp(prefix="wakee-sandbox-"))
    path.chmod(0o777)
    try:
        yield path
    finally:
        shutil.rmtree(path)


@pytest.fixture(scope="session")
def data_root() -> Iterator[Path]:
    with open_directory() as path:
        yield path


@pytest.fixture
def data() -> Iterator[Path]:
    with open_directory() as path:
        yield path


def postgres_service(data: Path, port: int, **environment: str) -> tuple[Service, DatabaseSettings]:
    given = {"POSTGRES_USER": "wakee", "POSTGRES_PASSWORD": "it's secret", "POSTGRES_DB": "wakee", **environment}
    service = sandbox_service(
        ["postgres", "--data", str(data / "pg"), "--port", str(port)], given, data / "postgres.log"
    )
    password = given["POSTGRES_PASSWORD"].replace("'", "%27").replace(" ", "%20")
    url = f"postgresql://{given['POSTGRES_USER']}:{password}@127.0.0.1:{port}/{given['POSTGRES_DB']}"
    return service, DatabaseSettings.model_validate({"NEON_DATABASE_URL": url, "DATABASE_WAKE_UP_SECONDS": 0.1})


def answers(settings: DatabaseSettings) -> bool:
    connection = psycopg2.connect(settings.url.get_secret_value(), connect_timeout=2)
    connection.close()
    return True


def s3_service(data: Path, port: int) -> tuple[Service, dict[str, str]]:
    environment = {
        "R2_ACCESS_KEY_ID": "sandbox-key",
        "R2_SECRET_ACCESS_KEY": "sandbox-secret",
        "R2_BUCKET_NAME": "pictures",
        "R2_ENDPOINT_URL": f"http://127.0.0.1:{port}",
    }
    service = sandbox_service(["s3", "--data", str(data / "s3"), "--port", str(port)], environment, data / "s3.log")
    return service, environment


def s3_answers(settings: R2Settings) -> bool:
    s3.ready(settings)
    return True


@pytest.fixture(scope="session")
def database(data_root: Path) -> Iterator[DatabaseSettings]:
    """A migrated database."""
    service, settings = postgres_service(data_root, free_port(), POSTGRES_EXTRA_DATABASES="mlflow")
    try:
        service.start().wait_until(lambda: answers(settings), "PostgreSQL answers")
        upgrade_database(settings)
        yield settings
    finally:
        service.stop(signal.SIGINT)


@pytest.fixture(scope="session")
def r2_environment(data_root: Path) -> Iterator[dict[str, str]]:
    """The variables of an S3 server that is ready."""
    port = consecutive_ports(8)
    service, environment = s3_service(data_root, port)
    try:
        service.start().wait_until(lambda: s3_answers(r2_settings(environment)), "S3 stores")
        yield environment
    finally:
        service.stop(signal.SIGKILL)  # it survives that, and takes its time otherwise


def r2_settings(environment: dict[str, str]) -> R2Settings:
    return R2Settings.model_validate(environment)


@pytest.fixture(scope="session")
def r2(r2_environment: dict[str, str]) -> R2Settings:
    return r2_settings(r2_environment)


@pytest.fixture
def store(r2: R2Settings) -> ObjectStore:
    return ObjectStore(r2)


def hub_service(data: Path, port: int) -> Service:
    accounts = {"HF_SANDBOX_USER": "someone", "HF_SANDBOX_ACCOUNTS": json.dumps(HUB_ACCOUNTS)}
    environment = {"HF_TOKEN": HUB_TOKEN, **accounts}
    return sandbox_service(["hub", "--data", str(data / "hub"), "--port", str(port)], environment, data / "hub.log")


@pytest.fixture(scope="session")
def hub_url(data_root: Path) -> Iterator[str]:
    port = free_port()
    service, url = hub_service(data_root, port), f"http://127.0.0.1:{port}"
    try:
        service.start().wait_for_answer(f"{url}/health")
        yield url
    finally:
        service.stop()


@pytest.fixture
def empty_labels(database: DatabaseSettings) -> DatabaseSettings:
    transact(
        database,
        lambda cursor: cursor.execute(
            "TRUNCATE emotion_labels, model_versions, promotions, drift_reports RESTART IDENTITY"
        ),
    )
    return database
