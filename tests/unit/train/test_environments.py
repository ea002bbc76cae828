"""Two environments in one bucket: staging writes below its prefix, and shares no state with production."""

import re
from dataclasses import replace

import pytest

from .environment import Environment

PREFIX = "staging/"


def versions(environment: Environment) -> dict[str, str]:
    """The ETag of every object in the bucket."""
    store = environment.store
    return {key: store.get_version(store.uri(key))[1] for key in store.list_keys("")}


@pytest.fixture
def staging(environment: Environment, make_environment, tmp_path) -> Environment:
    """The environment's bucket, with a database, a Hub repository and an MLflow experiment of its own."""
    folder = tmp_path / "staging"
    folder.mkdir()
    other = make_environment(folder)
    own = other.variables | {name: value for name, value in environment.variables.items() if re.match("R2_", name)}
    return replace(other, variables=own | {"R2_PREFIX": PREFIX}, store=environment.store)


def test_a_staging_environment_writes_below_its_prefix(environment, staging):
    for each in (environment, staging):
        each.add_faces(range(60))
    environment.retrain("production", epochs=1)
    before = versions(environment)

    published = staging.retrain("staging", epochs=1)["publish"]

    after = versions(environment)
    written = {key for key in after if after[key] != before.get(key)}
    assert published["promoted"] is True
    assert [key for key in written if not key.startswith(PREFIX)] == []
    for name in ("datasets/people.json", "runs/model_retrain/staging/evaluate/result.json"):
        assert PREFIX + name in written
    assert before.keys() <= after.keys()


def test_staging_reuses_its_own_data_set(staging):
    staging.add_faces(range(30))
    first = staging.prepare("one")
    assert staging.prepare("two")["splits_uri"] == first["splits_uri"]
    assert f"/{PREFIX}datasets/" in first["splits_uri"]
