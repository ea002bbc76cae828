"""Environments for retraining, with drawn faces in them."""

import os
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wakee_common.storage import ObjectStore

from support.postgres import PostgresServer, administer
from support.s3 import r2_settings, r2_variables
from support.sandbox import HUB_TOKEN, Service
from support.stages import run_variables

from .environment import Environment

# One thread is enough for so small a model; two on busy cores wait for each other most of the time.
os.environ |= {"OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def make_environment(
    postgres_server: PostgresServer, s3_endpoint: str, hub_url: str, mlflow_server: tuple[Service, str]
) -> Callable[[Path], Environment]:
    """Makes environments that share servers, but no database, bucket, repository, experiment or registered model."""

    def make(folder: Path) -> Environment:
        name = f"train_{uuid.uuid4().hex[:12]}"
        administer(postgres_server.url(), f"CREATE DATABASE {name} TEMPLATE migrated")
        bucket = name.replace("_", "-")
        store = ObjectStore(r2_settings(s3_endpoint, bucket))
        store._client.create_bucket(Bucket=bucket)
        variables = {
            **r2_variables(s3_endpoint, bucket),
            **run_variables("model_retrain", "train"),
            "NEON_DATABASE_URL": postgres_server.url(name),
            "HF_ENDPOINT": hub_url,
            "HF_TOKEN": HUB_TOKEN,
            "HF_MODEL_REPO": f"wakee/{name}",
            "MLFLOW_TRACKING_URI": mlflow_server[1],
            "MLFLOW_EXPERIMENT_NAME": name,
            "MLFLOW_MODEL_NAME": name,
        }
        return Environment(variables, store, folder)

    return make


@pytest.fixture
def environment(make_environment: Callable[[Path], Environment], tmp_path: Path) -> Iterator[Environment]:
    """An environment without rows, pictures or models."""
    made = make_environment(tmp_path)
    yield made
    # Every bucket takes volumes of the S3 server, of which there are a hundred.
    for key in list(made.store.list_keys("")):
        made.store.delete(made.store.uri(key))
    made.store._client.delete_bucket(Bucket=made.store.bucket)
