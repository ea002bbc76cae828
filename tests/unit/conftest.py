"""Real services, started once per test session: PostgreSQL and S3, empty for every test, the Hub's double and MLflow.

Any image's tests can use `database` (migrated), `empty_database`, `store` and `pod` (a stage's whole environment).
"""

import functools
import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg2
import pytest
from hypothesis import settings
from wakee_common import startup
from wakee_common.migrations.cli import upgrade_database
from wakee_common.settings import DatabaseSettings, R2Settings
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri

from support import s3
from support.ports import free_port
from support.postgres import PostgresServer, administer
from support.s3 import r2_variables, s3_server
from support.sandbox import HUB_ACCOUNTS, HUB_TOKEN, Service, inherited_variables
from support.stages import pod_files, run_variables
from support.waiting import wait_for

settings.register_profile("any machine", deadline=None)  # a slow machine fails no test
settings.load_profile("any machine")

TABLES = "emotion_labels, model_versions, drift_reports, promotions"
REFUSED_SECONDS = 1.2
# Many tests refuse connections. Only those of the first seconds themselves wait for any.
os.environ |= {"WAKEE_STARTUP_RETRY_SECONDS": "0", "HEALTH_STARTUP_WAIT_SECONDS": "0"}
# Read by huggingface_hub when it is imported.
os.environ |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


@pytest.fixture(scope="session")
def make_postgres_server() -> Iterator[Callable[[], PostgresServer]]:
    """Makes PostgreSQL clusters that are not started yet, and removes them at the end."""
    servers: list[PostgresServer] = []

    def make() -> PostgresServer:
        servers.append(PostgresServer.initialized())
        return servers[-1]

    yield make
    for server in servers:
        server.remove()


@pytest.fixture(scope="session")
def postgres_server(make_postgres_server: Callable[[], PostgresServer]) -> PostgresServer:
    """A running PostgreSQL with one migrated template database."""
    server = make_postgres_server()
    server.start()
    wait_for(server.answers, 60, "PostgreSQL", every=0.05)
    administer(server.url(), "CREATE DATABASE migrated")
    upgrade_database(server.settings("migrated"))
    return server


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[DatabaseSettings]:
    """A database without tables."""
    name = f"test_{uuid.uuid4().hex}"
    administer(postgres_server.url(), f"CREATE DATABASE {name}")
    yield postgres_server.settings(name)
    administer(postgres_server.url(), f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def database(postgres_server: PostgresServer) -> DatabaseSettings:
    """A database at the newest schema, without rows."""
    settings = postgres_server.settings("migrated")
    connection = psycopg2.connect(settings.url.get_secret_value())
    with connection, connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {TABLES} RESTART IDENTITY")
    connection.close()
    return settings


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A running S3 server that checks credentials, with one bucket."""
    with s3_server() as endpoint:
        yield endpoint


@pytest.fixture
def make_r2_settings(s3_endpoint: str) -> Callable[..., R2Settings]:
    """Makes settings of the S3 server that differ from the right ones in what is given."""
    return functools.partial(s3.r2_settings, s3_endpoint)


@pytest.fixture
def r2_settings(make_r2_settings: Callable[..., R2Settings]) -> R2Settings:
    """An empty bucket."""
    settings = make_r2_settings()
    store = ObjectStore(settings)
    while keys := [{"Key": key} for key in itertools.islice(store.list_keys(""), 1000)]:
        store._client.delete_objects(Bucket=settings.bucket, Delete={"Objects": keys})
    return settings


@pytest.fixture
def store(r2_settings: R2Settings) -> ObjectStore:
    """The store of an empty bucket."""
    return ObjectStore(r2_settings)


@pytest.fixture(scope="session")
def service_folder() -> Iterator[Path]:
    """Data and logs of the sandbox's services."""
    folder = Path(tempfile.mkdtemp(prefix="wakee-services-"))
    yield folder
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def hub_url(service_folder: Path) -> Iterator[str]:
    """A running double of the Hub."""
    port = free_port()
    accounts = {"HF_SANDBOX_USER": "wakee", "HF_SANDBOX_ACCOUNTS": json.dumps(HUB_ACCOUNTS)}
    variables = inherited_variables() | {"HF_TOKEN": HUB_TOKEN, **accounts}
    arguments = ["hub", "--data", str(service_folder / "hub"), "--port", str(port)]
    service, url = Service(arguments, variables, service_folder / "hub.log"), f"http://127.0.0.1:{port}"
    try:
        service.start().wait_for_answer(f"{url}/health")
        yield url
    finally:
        service.stop()


@pytest.fixture(scope="session")
def mlflow_server(
    service_folder: Path, postgres_server: PostgresServer, s3_endpoint: str
) -> Iterator[tuple[Service, str]]:
    """MLflow and its address; it takes long to start, and most tests need only the address."""
    administer(postgres_server.url(), "CREATE DATABASE mlflow")
    port = free_port()
    variables = {**r2_variables(s3_endpoint), "MLFLOW_BACKEND_STORE_URI": postgres_server.url("mlflow")}
    arguments = ["mlflow", "--port", str(port)]
    service = Service(arguments, inherited_variables() | variables, service_folder / "mlflow.log")
    try:
        yield service.start(), f"http://127.0.0.1:{port}"
    finally:
        service.stop()


@pytest.fixture(scope="session")
def mlflow_url(mlflow_server: tuple[Service, str]) -> str:
    """The address, once MLflow answers."""
    service, url = mlflow_server
    service.wait_for_answer(f"{url}/health")
    return url


@dataclass(frozen=True)
class Pod:
    """What a stage finds around it, and what it leaves behind."""

    store: ObjectStore
    xcom: Path
    termination_log: Path

    def read(self, uri: str) -> bytes:
        """An object of the bucket."""
        return self.store.get_bytes(R2Uri.parse(uri))

    def result(self) -> dict[str, Any]:
        """What Airflow would get."""
        return dict(json.loads(self.xcom.read_text()))

    def record(self, task_id: str) -> dict[str, Any]:
        """What stays in R2."""
        return dict(json.loads(self.store.get_bytes(self.store.uri(f"runs/test_dag/test-run/{task_id}/result.json"))))


@pytest.fixture
def pod(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, r2_settings: R2Settings, database: DatabaseSettings
) -> Iterator[Pod]:
    """The environment of a stage: its variables, an XCom volume, a termination log."""
    variables = {
        "NEON_DATABASE_URL": database.url.get_secret_value(),
        **r2_variables(r2_settings.endpoint),
        **run_variables("test_dag", "drift"),
        "WAKEE_RUN_ID": "test-run",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for name in ("WAKEE_TASK_ID", "WAKEE_TRY_NUMBER", "WAKEE_API_URL", "R2_ACCOUNT_ID"):
        monkeypatch.delenv(name, raising=False)
    with pod_files(tmp_path) as (xcom, termination_log):
        yield Pod(ObjectStore(r2_settings), xcom, termination_log)


@pytest.fixture
def aged(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """A function: the process counts as so many seconds old, and retries refused connections until it is older."""

    def set_age(seconds: float, *, retries_until: float) -> None:
        monkeypatch.setattr(startup, "_start", time.monotonic() - seconds)
        monkeypatch.setattr(startup, "_retries_allowed", True)  # whatever an earlier test interrupted
        monkeypatch.setenv("WAKEE_STARTUP_RETRY_SECONDS", str(retries_until))

    return set_age


@pytest.fixture
def first_seconds(aged: Callable[..., None]) -> None:
    """What the process is refused is retried."""
    aged(0, retries_until=20)


@pytest.fixture
def refused_at_first(first_seconds: None) -> Iterator[Callable[[str], str]]:
    """Makes a second address of a running server, which refuses connections for a moment, as to a new pod."""
    program = shutil.which("socat")
    assert program, "apt-get install socat (make test-unit does)"
    timers, forwarders = list[threading.Timer](), list[subprocess.Popen[bytes]]()

    def listen(port: int, target: str) -> None:
        command = [program, f"tcp-listen:{port},bind=127.0.0.1,fork,reuseaddr", f"tcp:{target}"]
        forwarders.append(subprocess.Popen(command, stderr=subprocess.DEVNULL, start_new_session=True))

    def second_address(url: str) -> str:
        target, port = urlsplit(url).netloc.rpartition("@")[2], free_port()
        timers.append(threading.Timer(REFUSED_SECONDS, listen, (port, target)))
        timers[-1].start()
        return url.replace(target, f"127.0.0.1:{port}")

    yield second_address
    for timer in timers:
        timer.join()
    for forwarder in forwarders:
        os.killpg(forwarder.pid, signal.SIGTERM)
        forwarder.wait(10)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The Hub's client hands its uploads to its HTTP library in a way that this library warns about."""
    hub = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(hub)
