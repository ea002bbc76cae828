"""What the token may not see is not taken for missing: no model is promoted because nobody was seen to beat."""

import pytest
from wakee_contract.model import CHAMPION

from support.sandbox import BLIND, READER, STRANGER

from .conftest import Release

NOWHERE = (None, None, None)
SEEN_BY_OTHERS = "does not exist on the Hub, or is hidden from the account of HF_TOKEN"


@pytest.fixture
def private(release: Release) -> Release:
    """A private repository with a model."""
    release.hub.create_repo(release.repository, private=True)
    release.commit()
    return release


@pytest.mark.parametrize("token", [BLIND, STRANGER])
def test_a_hidden_repository_has_a_champion_for_all_we_know(private, token):
    refused = private.with_variables(HF_TOKEN=token).evaluate(exit_code=2)

    assert SEEN_BY_OTHERS in refused["cause"]
    assert "Check HF_MODEL_REPO" in refused["cause"]


def test_a_missing_repository_has_a_champion_for_all_we_know(release):
    """`check-targets` has made it, so it was deleted or hidden since."""
    assert SEEN_BY_OTHERS in release.evaluate(exit_code=2)["cause"]


def test_gated_files_are_not_missing(release):
    release.commit(**{"config.json": b'{"version": "v1"}'})
    release.hub.update_repo_settings(release.repository, gated="manual")

    refused = release.with_variables(HF_TOKEN=STRANGER).evaluate(exit_code=2)

    assert "403: Access to this model is restricted" in refused["cause"]
    assert "Request access on the repository's page with the account of HF_TOKEN" in refused["cause"]


def test_training_does_not_start_from_other_weights_because_the_champion_is_hidden(private):
    hidden = private.with_variables(HF_TOKEN=BLIND).environment

    refused = hidden.train("training-2", hidden.prepare("training-2")["splits_uri"], exit_code=2, start="auto")

    assert SEEN_BY_OTHERS in refused["cause"]


def test_the_first_stage_tells_hidden_from_missing(private):
    refused = private.with_variables(HF_TOKEN=BLIND).check(exit_code=2)

    assert f"Cannot access {private.repository} on the Hub: it exists" in refused["cause"]
    assert "409: You already created this model repo" in refused["cause"]
    assert "Give this token read and write access" in refused["cause"]
    assert private.production() == NOWHERE


def test_a_namespace_that_is_not_ours_is_refused_at_the_start(release):
    refused = release.with_variables(HF_TOKEN=STRANGER).check(exit_code=2)

    assert "You don't have the rights to create a model under the namespace" in refused["cause"]
    assert release.titles() is None


def test_a_token_that_may_only_read_is_refused_at_the_start(private):
    refused = private.with_variables(HF_TOKEN=READER).check(exit_code=2)

    assert "403: You don't have the required permissions" in refused["cause"]


def test_a_token_that_nobody_has_is_refused_at_the_start(release):
    refused = release.with_variables(HF_TOKEN="hf_of_nobody").check(exit_code=2)

    assert "Check HF_TOKEN" in refused["cause"]


@pytest.mark.parametrize("stage", ["log-to-mlflow", "update-model-versions"])
def test_a_promotion_is_not_left_half_way_because_main_is_hidden(release, stage):
    """A green run would leave registry and table behind the Hub."""
    published = release.upload(**release.judged())
    uris = {"publication": published["publication_uri"]}
    if stage == "update-model-versions":
        uris = {"tracking": release.log(published)["tracking_uri"]}
    release.hub.update_repo_settings(release.repository, private=True)

    refused = release.with_variables(HF_TOKEN=BLIND).environment.stage(stage, "first", exit_code=2, **uris)

    assert SEEN_BY_OTHERS in refused["cause"]


@pytest.mark.parametrize("place", ["registry", "table"])
def test_a_repository_without_a_model_is_another_one_where_there_is_a_production(release, place):
    release.add_champion("v1") if place == "registry" else release.add_row("v1", "a commit")

    refused = release.check(exit_code=2)

    assert f"{release.repository} is not visible to HF_TOKEN, so it holds no model on main" in refused["cause"]
    assert "v1" in refused["cause"]
    assert "Check HF_MODEL_REPO" in refused["cause"]
    assert release.titles() is None, "nothing is made under a wrong name"


def test_an_emptied_main_is_no_first_model(release):
    release.hub.create_repo(release.repository)
    release.add_champion("v1")

    refused = release.check(exit_code=2)

    assert "holds no model on main, the registry's alias champion points to v1" in refused["cause"]
    assert "clear upload_to_hub of the run that made v1" in refused["cause"]


def test_an_empty_table_is_another_database_where_hub_and_registry_have_a_production(release):
    version = release.publish()
    release.environment.execute("TRUNCATE model_versions")

    refused = release.check("second", exit_code=2)

    assert f"holds {version} on main, the registry's alias champion points to {version}" in refused["cause"]
    assert "the table model_versions has no rows" in refused["cause"]
    assert "update_model_versions of model_retrain/first wrote" in refused["cause"]
    assert "NEON_DATABASE_URL" in refused["cause"]
    assert release.environment.execute("SELECT count(*) FROM model_versions") == [(0,)]


def test_an_empty_registry_is_another_one_where_hub_and_table_have_a_production(release):
    version = release.publish()
    other = release.with_variables(MLFLOW_MODEL_NAME=f"{release.model}-other")

    refused = other.check("second", exit_code=2)

    assert f"log_to_mlflow of model_retrain/first wrote {version} to the registry" in refused["cause"]
    assert other.production()[1] is None


def test_an_emptied_table_is_written_again_by_the_tasks_that_the_message_names(release):
    version = release.publish()
    release.environment.execute("TRUNCATE model_versions")
    assert (
        "clear log_to_mlflow and update_model_versions of model_retrain/first"
        in (release.check("second", exit_code=2)["cause"])
    )

    release.record(release.log({"publication_uri": publication_uri(release)}))

    assert release.check("second")["production"] == version


def publication_uri(release: Release) -> str:
    return f"r2://{release.environment.store.bucket}/runs/model_retrain/first/upload_to_hub/publication.json"


def test_an_uploaded_model_needs_a_row_so_that_it_can_come_back(release):
    release.commit()

    refused = release.check(exit_code=2)
    release.add_row("from before us")
    accepted = release.check()

    assert "holds a model of unknown version on main" in refused["cause"]
    assert "no rows" in refused["cause"]
    assert "INSERT INTO model_versions" in refused["cause"]
    assert accepted["production"] is None
    assert release.titles() == ["Upload model", "initial commit"]


def test_an_alias_that_was_there_before_us_is_no_contradiction(release):
    release.commit()
    release.add_row("from before us")
    release.mlflow.create_registered_model(release.model)
    release.mlflow.create_model_version(release.model, "s3://bucket/model")
    release.mlflow.set_registered_model_alias(release.model, CHAMPION, "1")

    assert release.check()["production"] is None


def test_a_model_uploaded_over_ours_is_refused(release):
    version = release.publish()
    release.commit("Upload another", **{"config.json": b"{}"})

    refused = release.check("second", exit_code=2)

    assert (
        f"holds a model of unknown version on main, the registry's alias {CHAMPION} points to {version}"
        in (refused["cause"])
    )
    assert "model_rollback" in refused["cause"]
