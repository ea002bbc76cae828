"""Which version a rollback goes back to, and where its files are."""

import json
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import CommitOperationAdd, HfApi
from mlflow import MlflowClient
from wakee_common.database import reading, transact
from wakee_common.errors import BadInputError
from wakee_train.release.promotions import Cause, make_production
from wakee_train.release.rollback import PREVIOUS, Found, find_target

from support.sandbox import HUB_TOKEN

from ..environment import Environment

INSERT = (
    "INSERT INTO model_versions (version_name, model_type, framework, deployed_at, is_production, hf_commit)"
    " VALUES (%s, 'test_efficientnet', 'pytorch', %s, %s, %s)"
)


def versions(environment: Environment, production: str, **deployed_on: int | None) -> None:
    """Versions in the order of their rows, each with the day of April on which it was last deployed.

    Those called `old...` were there before us.
    """
    for name, day in deployed_on.items():
        moment = f"2026-04-{day:02d}" if day else None
        commit = None if name.startswith("old") else f"commit of {name}"
        environment.execute(INSERT, (name, moment, name == production, commit))


def target(environment: Environment, asked: str = PREVIOUS, on_main: str | None = None) -> Found:
    with reading(environment.database) as connection:
        return find_target(connection, asked, on_main)


@pytest.mark.parametrize(
    ("production", "deployed_on", "expected"),
    [
        pytest.param("v3", {"v1": 1, "v2": 2, "v3": 3}, "v2", id="the one before"),
        pytest.param("v3", {"v1": 3, "v2": 2, "v3": 4}, "v1", id="not one that was rolled back"),
        pytest.param("v2", {"v1": 1, "v2": 4, "v3": 3}, "v1", id="further back after a rollback"),
        pytest.param("v3", {"v1": 1, "v2": None, "v3": 3}, "v1", id="not a candidate"),
        pytest.param("v1", {"old1": 1, "old2": 2, "v1": 3}, "old2", id="from before us"),
    ],
)
def test_previous_is_the_older_version_that_was_in_production_last(environment, production, deployed_on, expected):
    versions(environment, production, **deployed_on)

    assert target(environment, on_main=production) == Found(
        expected, None if expected == "old2" else f"commit of {expected}", production
    )


@pytest.mark.parametrize("on_main", ["v3", "v4"], ids=["a row that is not in production", "no row at all"])
def test_previous_is_the_database_s_production_when_the_hub_is_ahead(environment, on_main):
    """Upload succeeded, what comes after it failed for good."""
    versions(environment, "v2", v1=1, v2=2, v3=None)

    assert target(environment, on_main=on_main) == Found("v2", "commit of v2", on_main)


def test_previous_ends_a_rollback_that_came_to_the_hub_only(environment):
    versions(environment, "v3", v1=1, v2=2, v3=3)

    assert target(environment, on_main="v2") == Found("v2", "commit of v2", "v3")


def test_a_version_from_before_us_counts_though_nobody_wrote_down_when_it_was_deployed(environment):
    versions(environment, "old", old=None, v1=None)
    transact(
        environment.database,
        lambda cursor: make_production(cursor, "v1", Cause("gate", "better", "model_retrain", "run-1")),
    )

    assert target(environment, on_main="v1") == Found("old", None, "v1")
    assert target(environment, "old", "v1") == Found("old", None, "v1")


def test_only_the_last_version_from_before_us_can_be_found_on_the_hub(environment):
    versions(environment, "v1", old1=1, old2=2, v1=3)

    with pytest.raises(BadInputError, match="old1: its commit on the Hub is not recorded"):
        target(environment, "old1")


def test_a_version_that_somebody_added_after_ours_is_not_one_from_before(environment):
    versions(environment, "v1", old=1, v1=2, old_but_later=3)

    with pytest.raises(BadInputError, match="old_but_later: its commit on the Hub is not recorded"):
        target(environment, "old_but_later")
    assert target(environment, "old").commit is None


def test_versions_to_choose_from_are_listed(environment):
    versions(environment, "v2", v1=1, v2=2, candidate=None)

    with pytest.raises(BadInputError, match=r"there is no version 'v9'\. Versions that were in production: v2, v1$"):
        target(environment, "v9")
    with pytest.raises(BadInputError, match=r"version 'candidate' has never been in production\. .*: v2, v1$"):
        target(environment, "candidate")


def test_before_the_first_version_there_is_none(environment):
    versions(environment, "v1", v1=1, v2=None)

    with pytest.raises(BadInputError, match="no version was in production before"):
        target(environment)


@pytest.mark.parametrize(
    ("version", "cause"),
    [
        ("v-nowhere", "there is no version 'v-nowhere'. Versions that were in production: none"),
        ("previous", "no version was in production before"),
    ],
    ids=["unknown", "nothing-before"],
)
def test_rollback_to_nothing_is_refused(environment, version, cause):
    refused = environment.stage("rollback", exit_code=2, version=version)

    assert cause in refused["cause"]


OLD_FILES = {"model.onnx": b"the old graph", "pytorch_model.bin": b"the old weights", "README.md": b"# Old"}
NEW_FILES = {"model.onnx": b"a new graph", "config.json": json.dumps({"version": "v1"}).encode(), "README.md": b"# New"}


def commit(environment: Environment, title: str, files: dict[str, bytes]) -> None:
    repository = environment.variables["HF_MODEL_REPO"]
    hub(environment).create_repo(repository, exist_ok=True)
    operations = [CommitOperationAdd(path, content) for path, content in files.items()]
    hub(environment).create_commit(repository, operations, commit_message=title)


def hub(environment: Environment) -> HfApi:
    return HfApi(endpoint=environment.variables["HF_ENDPOINT"], token=HUB_TOKEN)


def main(environment: Environment) -> dict[str, Any]:
    """The files of main, and how many commits it has."""
    repository, cache = environment.variables["HF_MODEL_REPO"], environment.folder / "cache"
    names = set(hub(environment).list_repo_files(repository)) - {".gitattributes"}
    paths = {name: hub(environment).hf_hub_download(repository, name, cache_dir=cache) for name in names}
    contents = {name: Path(path).read_bytes() for name, path in paths.items()}
    return {"files": contents, "commits": len(hub(environment).list_repo_commits(repository))}


@pytest.fixture
def first_retraining(environment: Environment, mlflow_url: str) -> Environment:
    """The production that we found, and our first version in its place."""
    commit(environment, "Upload model", OLD_FILES)
    commit(environment, "v1: promoted", NEW_FILES)
    versions(environment, "v1", old=1, v1=2)
    return environment


def test_a_version_that_the_registry_does_not_know_is_a_warning(first_retraining):
    client = MlflowClient(first_retraining.variables["MLFLOW_TRACKING_URI"])
    model = first_retraining.variables["MLFLOW_MODEL_NAME"]
    client.create_registered_model(model)
    client.create_model_version(model, "s3://bucket/v1", tags={"wakee.version": "v1"})
    client.set_registered_model_alias(model, "champion", "1")

    done = first_retraining.stage("rollback", version="previous")

    assert done["alias_moved"] is True
    assert client.get_registered_model(model).aliases == {}
    assert "champion was removed" in done["warning"]
    assert "has the tag wakee.version=old" in done["warning"]


@pytest.mark.parametrize("asked", ["previous", "old"])
def test_the_first_version_can_be_rolled_back(first_retraining, asked):
    done = first_retraining.stage("rollback", version=asked)
    restored = main(first_retraining)
    again = first_retraining.stage("rollback", version=asked)

    assert restored["files"] == OLD_FILES
    assert (done["version"], done["replaced"], done["new_commit"]) == ("old", "v1", True)
    assert first_retraining.execute("SELECT version_name FROM model_versions WHERE is_production") == [("old",)]
    assert (again["new_commit"], again["production_moved"]) == (False, False)
    assert main(first_retraining) == restored


def test_the_first_version_can_be_rolled_back_before_it_has_its_row(first_retraining):
    first_retraining.execute("DELETE FROM model_versions WHERE version_name = 'v1'")
    first_retraining.execute("UPDATE model_versions SET is_production = true, deployed_at = NULL")

    done = first_retraining.stage("rollback", version="previous")

    assert (done["version"], done["replaced"]) == ("old", "v1")
    assert main(first_retraining)["files"] == OLD_FILES


def test_a_model_that_nobody_uploaded_cannot_be_restored(environment, mlflow_url):
    commit(environment, "v1: promoted", NEW_FILES)
    versions(environment, "v1", old=1, v1=2)

    refused = environment.stage("rollback", exit_code=2, version="previous")

    assert "main had no model before our first one" in refused["cause"]
    assert main(environment)["files"] == NEW_FILES
