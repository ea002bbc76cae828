"""A real PostgreSQL and a real S3 server, started once per test session, empty for every test.

Any image's tests can use `database` (migrated), `empty_database`, `store` and `pod` (a stage's whole environment).
"""

import itertools
import json
import logging
import os
import shutil
import signal
import subprocess
import sys
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
from wakee_common import stage, startup
from wakee_common.migrations.cli import upgrade_database
from wakee_common.settings import DatabaseSettings, R2Settings
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri

from support.ports import free_port, free_ports
from support.waiting import wait_for

POSTGRES_BINARIES = Path("/usr/lib/postgresql/15/bin")
START_SECONDS, POLL_SECONDS = 60, 0.05
BUCKET = "wakee-test"
S3_KEYS = {"accessKey": "test-key", "secretKey": "test-secret"}
S3_ACTIONS = ["Admin", "Read", "List", "Tagging", "Write"]
S3_IDENTITIES = {"identities": [{"name": "test", "credentials": [S3_KEYS], "actions": S3_ACTIONS}]}
WEED_OPTIONS = {
    "ip": "127.0.0.1",
    "s3.port.iceberg": 0,
    "s3.port.lance": 0,
    "s3.autoCreateBucket": "false",
    "master.telemetry": "false",
    "master.volumeSizeLimitMB": 64,
    "volume.max": 100,
    "volume.preStopSeconds": 0,
}
WEED_PORTS = tuple(f"{part}.port{kind}" for part in ("s3", "master", "volume", "filer") for kind in ("", ".grpc"))
TABLES = "emotion_labels, model_versions, drift_reports"
REFUSED_SECONDS = 1.2
# Many tests refuse connections. Only those of the first seconds themselves wait for any.
os.environ |= {"WAKEE_STARTUP_RETRY_SECONDS": "0", "HEALTH_STARTUP_WAIT_SECONDS": "0"}


@dataclass(frozen=True)
class PostgresServer:
    """A PostgreSQL cluster in a temporary folder; passwords are checked on TCP, as in production."""

    folder: Path
    port: int
    password: str = "p%40ss-w0rd"
    """As it stands in an address, percent-encoded."""

    def url(self, database: str = "postgres", password: str = "") -> str:
        return f"postgresql://postgres:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def settings(self, database: str = "postgres", wake_up_seconds: float = 20) -> DatabaseSettings:
        return DatabaseSettings(url=self.url(database), wake_up_seconds=wake_up_seconds)

    def start(self) -> None:
        """Return at once; the server answers a moment later."""
        options = f"-c listen_addresses=127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off -c max_connections=50"
        _as_postgres("pg_ctl", "start", "-W", "-D", self.folder / "data", "-l", self.folder / "log", "-o", options)

    def stop(self) -> None:
        _as_postgres("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self.folder / "data")

    def answers(self) -> bool:
        ready = subprocess.run(
            [POSTGRES_BINARIES / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
        )
        return ready.returncode == 0


def _as_postgres(binary: str, *arguments: str | Path) -> None:
    """PostgreSQL refuses to run as root."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    command = [*user, str(POSTGRES_BINARIES / binary), *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=START_SECONDS)


@pytest.fixture(scope="session")
def make_postgres_server() -> Iterator[Callable[[], PostgresServer]]:
    """Makes PostgreSQL clusters that are not started yet, and removes them at the end."""
    servers: list[PostgresServer] = []

    def make() -> PostgresServer:
        folder = Path(tempfile.mkdtemp(prefix="wakee-postgres-"))
        server = PostgresServer(folder, free_port())
        servers.append(server)
        (folder / "password").write_text("p@ss-w0rd")
        folder.chmod(0o755)
        if os.geteuid() == 0:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        initdb = ("-D", folder / "data", "-A", "scram-sha-256", f"--pwfile={folder / 'password'}", "-U", "postgres")
        _as_postgres("initdb", *initdb, "-N", "-E", "UTF8", "--locale=C.UTF-8")
        return server

    yield make
    for server in servers:
        if (server.folder / "data" / "postmaster.pid").exists():
            server.stop()
        shutil.rmtree(server.folder)


@pytest.fixture(scope="session")
def postgres_server(make_postgres_server: Callable[[], PostgresServer]) -> PostgresServer:
    """A running PostgreSQL with one migrated template database."""
    server = make_postgres_server()
    server.start()
    wait_for(server.answers, START_SECONDS, "PostgreSQL", POLL_SECONDS)
    _administer(server, "CREATE DATABASE migrated")
    upgrade_database(server.settings("migrated"))
    return server


def _administer(server: PostgresServer, statement: str) -> None:
    connection = psycopg2.connect(server.url())
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
    finally:
        connection.close()


@pytest.fixture
def empty_database(postgres_server: PostgresServer) -> Iterator[DatabaseSettings]:
    """A database without tables."""
    name = f"test_{uuid.uuid4().hex}"
    _administer(postgres_server, f"CREATE DATABASE {name}")
    yield postgres_server.settings(name)
    _administer(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


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
    """A running SeaweedFS that checks credentials; ready means that a put succeeded."""
    folder = Path(tempfile.mkdtemp(prefix="wakee-s3-"))
    (folder / "identities.json").write_text(json.dumps(S3_IDENTITIES))
    ports = dict(zip(WEED_PORTS, free_ports(len(WEED_PORTS)), strict=True))
    process = _start_weed(folder, ports)
    endpoint = f"http://127.0.0.1:{ports['s3.port']}"
    try:
        wait_for(lambda: _takes_a_put(endpoint, process), START_SECONDS, "SeaweedFS", POLL_SECONDS)
        yield endpoint
    finally:
        process.kill()  # It would take 15 s to leave in peace, and its data are thrown away.
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)
        for port in ports.values():
            for left_over in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):  # noqa: S108 - where SeaweedFS puts them
                left_over.unlink()


def _start_weed(folder: Path, ports: dict[str, int]) -> subprocess.Popen[bytes]:
    settings = {"dir": folder, "s3.config": folder / "identities.json", **WEED_OPTIONS, **ports}
    weed = shutil.which("weed") or Path(sys.executable).with_name("weed")
    command = [weed, "server", "-s3", "-filer", *(f"-{name}={value}" for name, value in settings.items())]
    environment = {**os.environ, "GOMEMLIMIT": "200MiB", "TMPDIR": str(folder)}
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(command, stdout=log, stderr=log, env=environment)


def _takes_a_put(endpoint: str, process: subprocess.Popen[bytes]) -> bool:
    if process.poll() is not None:
        raise RuntimeError(f"SeaweedFS ended with {process.returncode}")
    store = ObjectStore(s3_settings(endpoint, BUCKET, attempts=1))
    try:
        if store._client.list_buckets()["Buckets"] == []:
            store._client.create_bucket(Bucket=BUCKET)
        store.put_bytes(store.uri("probe"), b"ready")
    except Exception:
        return False
    return True


def s3_settings(endpoint: str, bucket: str, **overrides: object) -> R2Settings:
    """Settings of the test S3 server."""
    values = {"access_key_id": "test-key", "secret_access_key": "test-secret", "bucket": bucket, "transfers": 8}
    return R2Settings(**{**values, "endpoint_url": endpoint, **overrides})


@pytest.fixture
def make_r2_settings(s3_endpoint: str) -> Callable[..., R2Settings]:
    """Makes settings of the S3 server that differ from the right ones in what is given."""
    return lambda **overrides: s3_settings(s3_endpoint, **{"bucket": BUCKET, **overrides})


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
    environment = {
        "NEON_DATABASE_URL": database.url.get_secret_value(),
        "R2_ACCESS_KEY_ID": r2_settings.access_key_id.get_secret_value(),
        "R2_SECRET_ACCESS_KEY": r2_settings.secret_access_key.get_secret_value(),
        "R2_BUCKET_NAME": r2_settings.bucket,
        "R2_ENDPOINT_URL": r2_settings.endpoint,
        "WAKEE_DAG_ID": "test_dag",
        "WAKEE_RUN_ID": "test-run",
        "WAKEE_GIT_COMMIT": "0123456789abcdef0123456789abcdef01234567",
        "WAKEE_IMAGE": "wakee/drift:test",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for name in ("WAKEE_TASK_ID", "WAKEE_TRY_NUMBER", "WAKEE_API_URL", "R2_ACCOUNT_ID"):
        monkeypatch.delenv(name, raising=False)
    left = Pod(ObjectStore(r2_settings), tmp_path / "xcom" / "return.json", tmp_path / "termination-log")
    left.xcom.parent.mkdir()
    left.termination_log.touch()
    monkeypatch.setattr(stage, "XCOM_FILE", left.xcom)
    monkeypatch.setattr(stage, "TERMINATION_LOG", left.termination_log)
    handlers, level = logging.root.handlers[:], logging.root.level
    yield left
    logging.root.handlers[:], logging.root.level = handlers, level


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
