"""Fixtures for the services of the environment. They leave no data behind."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, despite its lowercase name
from wakee_common.database import connect
from wakee_common.hub import Head
from wakee_common.settings import DatabaseSettings, R2Settings, load
from wakee_common.storage import ObjectStore
from wakee_contract.model import ONNX

from wakee_health.probes.api import open_api
from wakee_health.probes.faces import face_png
from wakee_health.probes.hub import ModelRepository
from wakee_health.probes.model import Model
from wakee_health.probes.web import Site
from wakee_health.settings import ApiSettings, HubSettings, ProbeSettings


@pytest.fixture(scope="session")
def settings() -> ProbeSettings:
    """Timeouts of the tests."""
    return load(ProbeSettings)


@pytest.fixture(scope="session")
def api(settings: ProbeSettings) -> Iterator[Site]:
    """The Wakee API."""
    with open_api(load(ApiSettings), settings) as site:
        yield site


@pytest.fixture(scope="session")
def face() -> bytes:
    """A picture of a face."""
    return face_png()


@pytest.fixture(scope="session")
def database_settings() -> DatabaseSettings:
    """Settings of the database."""
    return load(DatabaseSettings)


@pytest.fixture(scope="session")
def database(database_settings: DatabaseSettings) -> Iterator[Connection]:
    """A connection with a lock timeout. The transaction of every test is rolled back."""
    with contextlib.closing(connect(database_settings)) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '5s'")
        yield connection


@pytest.fixture(autouse=True)
def _roll_back(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "database" in request.fixturenames:
        request.getfixturevalue("database").rollback()


@pytest.fixture(scope="session")
def store() -> ObjectStore:
    """The bucket."""
    return ObjectStore(load(R2Settings))


@pytest.fixture(scope="session")
def repository(settings: ProbeSettings, tmp_path_factory: pytest.TempPathFactory) -> ModelRepository:
    """The model's repository."""
    return ModelRepository(load(HubSettings), settings.timeout_seconds, tmp_path_factory.mktemp("hub"))


@pytest.fixture(scope="session")
def head(repository: ModelRepository) -> Head:
    """The newest commit of main."""
    return repository.contents()


@pytest.fixture(scope="session")
def model_file(repository: ModelRepository, head: Head) -> Path:
    """The production model."""
    return repository.fetch(ONNX, head)


@pytest.fixture(scope="session")
def model(model_file: Path) -> Model:
    """The production model, loaded."""
    return Model(model_file)
