"""Every place that a promotion is written to is checked before the first step that cannot be undone."""

import subprocess
import sys

import pytest
from mlflow.entities import ViewType
from psycopg2 import sql
from wakee_common.settings import RunContext
from wakee_common.uris import R2Uri
from wakee_train.records import Publication, Tracking, read_record
from wakee_train.release.model_versions import check_row, version_row

from support.postgres import execute

from .conftest import Release


def experiment(release: Release):
    name = release.environment.variables["MLFLOW_EXPERIMENT_NAME"]
    found = [one for one in release.mlflow.search_experiments(view_type=ViewType.ALL) if one.name == name]
    return found[0] if found else None


@pytest.fixture
def deleted(release: Release) -> Release:
    """Everything judged, and the experiment deleted then."""
    release.check()
    release.mlflow.delete_experiment(experiment(release).experiment_id)
    return release


def test_what_is_missing_is_made_once(release):
    first, second = release.check("a"), release.check("b")

    assert (first["repository_made"], second["repository_made"]) == (True, False)
    assert first["experiment_id"] == second["experiment_id"] == experiment(release).experiment_id
    assert first["production"] is first["finished"] is None
    assert experiment(release).tags["wakee.checked"] == "model_retrain/b"
    assert release.mlflow.get_registered_model(release.model).tags["wakee.checked"] == "model_retrain/b"
    assert release.titles() == ["initial commit"]


def test_the_check_leaves_no_row(release):
    release.check()

    assert release.environment.execute("SELECT count(*) FROM model_versions") == [(0,)]


def test_the_check_writes_every_column_that_a_row_has(release):
    published = release.upload(**release.judged())
    tracked, store = release.log(published), release.environment.store
    publication = read_record(store, R2Uri.parse(published["publication_uri"]), Publication)
    tracking = read_record(store, R2Uri.parse(tracked["tracking_uri"]), Tracking)

    row = version_row(store, RunContext(), publication, tracking)

    assert check_row(None).keys() == row.keys()


def test_a_deleted_experiment_is_refused_with_its_remedies(deleted):
    refused = deleted.check(exit_code=2)

    assert (
        f"it is deleted. Restore it (`mlflow experiments restore --experiment-id {experiment(deleted).experiment_id}`"
        in (refused["cause"])
    )
    assert "restore_deleted_experiment" in refused["cause"]
    assert "MLFLOW_EXPERIMENT_NAME" in refused["cause"]


def test_a_deleted_experiment_is_restored_on_request(deleted):
    checked = deleted.check(restore_deleted_experiment=True)

    assert checked["experiment_restored"] is True
    assert experiment(deleted).lifecycle_stage == "active"
    assert deleted.check(restore_deleted_experiment=True)["experiment_restored"] is False


@pytest.fixture
def judged(release: Release) -> dict[str, str]:
    return release.judged()


def test_an_experiment_deleted_during_the_training_ends_the_run_before_the_promotion(release, judged):
    release.mlflow.delete_experiment(experiment(release).experiment_id)

    refused = release.upload(exit_code=2, **judged)

    assert "it is deleted" in refused["cause"]
    assert release.titles() == ["initial commit"]
    assert release.upload(**judged, restore_deleted_experiment=True)["promoted"] is True


def test_an_experiment_deleted_after_the_promotion_is_named_at_once(release, judged):
    published = release.upload(**judged)
    release.mlflow.delete_experiment(experiment(release).experiment_id)

    refused = release.log(published, exit_code=2)

    assert "it is deleted" in refused["cause"]


@pytest.fixture
def artifacts_gone(release: Release) -> Release:
    """An experiment whose files cannot be written, though its runs can."""
    name = release.environment.variables["MLFLOW_EXPERIMENT_NAME"]
    release.mlflow.create_experiment(name, artifact_location="file:///proc/no-such-folder")
    return release


def test_a_store_of_artifacts_that_takes_nothing_ends_the_run_before_the_promotion(artifacts_gone):
    refused = artifacts_gone.upload(exit_code=1, **artifacts_gone.judged())

    assert "MLflow" in refused["cause"]
    assert artifacts_gone.titles() == ["initial commit"]


def test_a_drift_report_deleted_during_the_training_ends_the_run_before_the_promotion(release, judged):
    refused = release.upload(exit_code=2, **judged, drift_report_id=7)

    assert "there is no drift report with the id 7" in refused["cause"]
    assert release.titles() == ["initial commit"]


@pytest.fixture
def role(release: Release):
    """A role of the database that may read."""
    name = f"reader_{release.model}"
    url, database = release.environment.variables["NEON_DATABASE_URL"], release.environment.database
    user = sql.Identifier(name).string
    for statement in (
        f"CREATE ROLE \"{user}\" LOGIN PASSWORD 'a-password'",
        f'GRANT SELECT ON ALL TABLES IN SCHEMA public TO "{user}"',
    ):
        execute(url, statement)
    scheme, _, rest = database.url.get_secret_value().partition("://")
    yield release.with_variables(NEON_DATABASE_URL=f"{scheme}://{user}:a-password@{rest.rpartition('@')[2]}")
    for statement in (f'DROP OWNED BY "{user}"', f'DROP ROLE "{user}"'):
        execute(url, statement)


def test_a_table_that_we_may_not_write_is_refused_before_the_promotion(role, judged):
    refused = role.upload(exit_code=2, **judged)

    assert "permission denied for table model_versions" in refused["cause"]
    assert "Check the privileges of NEON_DATABASE_URL's user" in refused["cause"]
    assert role.titles() == ["initial commit"]


@pytest.mark.parametrize(
    ("change", "undo", "named"),
    [
        pytest.param(
            "ALTER TABLE model_versions RENAME TO elsewhere", "ALTER TABLE elsewhere RENAME TO model_versions",
            'relation "model_versions" does not exist', id="no table",
        ),
        pytest.param(
            "ALTER TABLE model_versions RENAME COLUMN lineage TO elsewhere",
            "ALTER TABLE model_versions RENAME COLUMN elsewhere TO lineage",
            'column "lineage" of relation "model_versions" does not exist', id="no column",
        ),
    ],
)  # fmt: skip
def test_a_schema_that_is_not_ours_is_refused_at_the_start(release, change, undo, named):
    release.environment.execute(change)
    try:
        refused = release.check(exit_code=2)
    finally:
        release.environment.execute(undo)

    assert named in refused["cause"]
    assert "wakee-db upgrade" in refused["cause"]


def test_a_bucket_that_is_not_there_is_refused_at_the_start(release):
    refused = release.with_variables(R2_BUCKET_NAME="no-such-bucket").check(exit_code=2)

    assert refused["cause"].startswith("the bucket of r2://no-such-bucket/")
    assert refused["cause"].endswith(". Check R2_BUCKET_NAME")
    assert release.titles() is None


def test_a_rollback_changes_nothing_where_the_table_cannot_be_written(role, release):
    first = release.publish("first")
    release.environment.execute("UPDATE model_versions SET deployed_at = '2026-01-01'")
    release.commit("v2: promoted", **{"config.json": b'{"version": "v2"}', "model.onnx": b"another"})
    before = release.titles()

    refused = role.environment.stage("rollback", "back", exit_code=2, version=first)

    assert "permission denied" in refused["cause"]
    assert release.titles() == before


def test_the_first_stage_imports_nothing_heavy():
    """It starts in a second or two; whatever else it checks one day loads its libraries itself."""
    heavy = ("torch", "timm", "onnx", "onnxruntime", "numpy", "PIL", "matplotlib")
    script = f"import sys; import wakee_train.release.preflight; print([m for m in {heavy} if m in sys.modules])"

    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    assert shown.strip() == "[]"
