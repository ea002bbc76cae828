"""Everything that the health check looks at, as real services, with a model in production."""

import contextlib
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from wakee_common.storage import ObjectStore

from support.ports import free_port
from support.postgres import PostgresServer, administer
from support.s3 import r2_settings, r2_variables
from support.sandbox import HUB_TOKEN, Service, inherited_variables
from support.stages import run_variables

from .environment import BUCKET, REPOSITORY, VERSION, Environment, files


@pytest.fixture(scope="session")
def environment(
    postgres_server: PostgresServer, s3_endpoint: str, hub_url: str, mlflow_url: str
) -> Iterator[Environment]:
    """All services, with a model in production everywhere and a few annotations with their pictures."""
    folder = Path(tempfile.mkdtemp(prefix="wakee-health-tests-"))
    administer(postgres_server.url(), "CREATE DATABASE health TEMPLATE migrated")
    store = ObjectStore(r2_settings(s3_endpoint, BUCKET))
    store._client.create_bucket(Bucket=BUCKET)
    variables = {
        **r2_variables(s3_endpoint, BUCKET),
        **run_variables("health_check_weekly", "health"),
        "R2_ATTEMPTS": "2",
        "NEON_DATABASE_URL": postgres_server.url("health"),
        "DATABASE_WAKE_UP_SECONDS": "1",
        "HF_ENDPOINT": hub_url,
        "HF_TOKEN": HUB_TOKEN,
        "HF_MODEL_REPO": REPOSITORY,
        "HF_POLL_SECONDS": "0.1",
        "MLFLOW_TRACKING_URI": mlflow_url,
        "HEALTH_TIMEOUT_SECONDS": "10",
    }
    with _running("api", variables, folder) as api, _running("sourcing", variables, folder) as sourcing:
        made = Environment(variables | {"WAKEE_API_URL": api, "APP_SOURCING_URL": sourcing}, store, folder)
        made.commit(files())
        made.register(VERSION)
        made.execute(
            "INSERT INTO model_versions (version_name, is_production, deployed_at) VALUES (%s, true, now())", [VERSION]
        )
        yield made
    shutil.rmtree(folder)


@contextlib.contextmanager
def _running(name: str, variables: dict[str, str], folder: Path) -> Iterator[str]:
    """The address of a service, once it answers."""
    url = f"http://127.0.0.1:{(port := free_port())}"
    service = Service([name, "--port", str(port)], inherited_variables() | variables, folder / f"{name}.log")
    try:
        service.start().wait_for_answer(f"{url}/_live")
        yield url
    finally:
        service.stop()


@pytest.fixture(autouse=True)
def annotations(environment: Environment) -> None:
    """Four fresh annotations, and nothing else in tables and bucket."""
    environment.execute("TRUNCATE emotion_labels, health_reports RESTART IDENTITY")
    for key in list(environment.store.list_keys("")):
        environment.store.delete(environment.store.uri(key))
    for number in range(4):
        environment.store.put_bytes(environment.store.uri(f"face-{number}.jpg"), b"picture")
        environment.execute(
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


@pytest.fixture
def impatient(environment: Environment) -> Environment:
    """Half a second for an answer."""
    return environment.but(HEALTH_TIMEOUT_SECONDS="0.5")
