"""The schema migrations on an empty database, and on one that production has filled."""

import psycopg2
import pytest
from typer.testing import CliRunner
from wakee_common.migrations.cli import app, current_revision, head_revision, upgrade_database
from wakee_common.settings import DatabaseSettings
from wakee_contract.emotions import EMOTIONS

PREDICTED = ", ".join(f"predicted_{emotion} float NOT NULL" for emotion in EMOTIONS)
LABELS = ", ".join(f"user_{emotion} float" for emotion in EMOTIONS)
MAE = ", ".join(f"mae_{emotion} float" for emotion in EMOTIONS)
MSE = ", ".join(f"mse_{emotion} float" for emotion in EMOTIONS)
PRODUCTION = f"""
CREATE TABLE emotion_labels (
    id serial PRIMARY KEY, img_name varchar(255) UNIQUE NOT NULL, s3_path varchar(500) NOT NULL, {PREDICTED},
    {LABELS}, timestamp timestamp, source varchar(50), is_validated boolean, user_id varchar(100),
    session_id varchar(100));
CREATE TABLE drift_reports (id serial PRIMARY KEY, report_date date NOT NULL UNIQUE, drift_detected boolean NOT NULL,
    drift_score float NOT NULL, {MAE}, {MSE}, num_samples int NOT NULL, drift_threshold float DEFAULT 0.15,
    report_json jsonb, created_at timestamp, updated_at timestamp);
CREATE TABLE model_versions (id serial PRIMARY KEY, version_name varchar(100) NOT NULL UNIQUE, model_type varchar(50),
    framework varchar(50), hf_model_bin_url text, hf_model_onnx_url text, accuracy float, f1_score float, {MAE},
    n_samples_train int, n_samples_val int, n_samples_test int, n_epochs int, learning_rate float, batch_size int,
    mlflow_run_id varchar(100), mlflow_experiment_id varchar(100), is_production boolean DEFAULT false,
    deployed_at timestamp, triggered_by_drift_report_id int REFERENCES drift_reports (id), created_at timestamp,
    updated_at timestamp);
INSERT INTO emotion_labels (img_name, s3_path, predicted_boredom, predicted_confusion, predicted_engagement,
    predicted_frustration, is_validated) VALUES
    ('a.jpg', 'a.jpg', 0, 1, 2, 3, true), ('b.jpg', 'b.jpg', 0, 0, 0, 0, NULL);
INSERT INTO drift_reports (report_date, drift_detected, drift_score, num_samples) VALUES ('2025-02-04', true, 0.2, 12);
INSERT INTO model_versions (version_name, is_production, deployed_at, triggered_by_drift_report_id) VALUES
    ('v1', true, '2025-01-01', NULL), ('v2', true, '2025-02-05', 1), ('v3', true, NULL, NULL),
    ('v4', false, '2026-01-01', 1);
"""


def execute(settings, statement):
    connection = psycopg2.connect(settings.url.get_secret_value())
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


def columns(settings):
    query = "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public'"
    return set(execute(settings, query))


@pytest.fixture
def production_database(empty_database):
    """A database as the existing system has it: rows, no Alembic, and more than one production model."""
    execute(empty_database, PRODUCTION)
    return empty_database


def test_an_empty_database_gets_everything(empty_database):
    assert upgrade_database(empty_database) == (None, head_revision())
    assert current_revision(empty_database) == head_revision()
    tables = {table for table, _, _ in columns(empty_database)}
    assert tables == {"alembic_version", "emotion_labels", "drift_reports", "model_versions", "health_reports"}


def test_production_keeps_every_row_and_column(production_database):
    tables = {name: f"SELECT * FROM {name} ORDER BY id" for name in ("emotion_labels", "drift_reports")}
    columns_before = columns(production_database)
    rows_before = {name: execute(production_database, query) for name, query in tables.items()}

    upgrade_database(production_database)

    assert columns_before <= columns(production_database)
    for name, query in tables.items():
        width = len(rows_before[name][0])
        assert [row[:width] for row in execute(production_database, query)] == rows_before[name]


def test_adopted_and_new_databases_end_with_the_same_columns(production_database, database):
    upgrade_database(production_database)

    names = [
        {(table, column) for table, column, _ in columns(settings)} for settings in (production_database, database)
    ]
    assert names[0] == names[1]


def test_of_several_production_models_the_last_deployed_stays(production_database):
    upgrade_database(production_database)

    query = "SELECT version_name FROM model_versions WHERE is_production"
    assert execute(production_database, query) == [("v2",)]
    assert execute(production_database, "SELECT count(*) FROM model_versions") == [(4,)]


def test_a_second_production_model_is_refused(production_database):
    upgrade_database(production_database)

    with pytest.raises(psycopg2.errors.UniqueViolation):
        execute(production_database, "UPDATE model_versions SET is_production = true WHERE version_name = 'v1'")


def test_a_second_upgrade_changes_nothing(production_database):
    upgrade_database(production_database)
    before = columns(production_database), execute(production_database, "SELECT * FROM model_versions ORDER BY id")

    assert upgrade_database(production_database) == (head_revision(), head_revision())

    after = columns(production_database), execute(production_database, "SELECT * FROM model_versions ORDER BY id")
    assert after == before


def test_a_failing_upgrade_leaves_the_database_as_it_was(production_database):
    execute(production_database, "ALTER TABLE model_versions DROP COLUMN is_production")
    before = columns(production_database)

    with pytest.raises(Exception, match="is_production"):
        upgrade_database(production_database)

    assert columns(production_database) == before


@pytest.fixture
def command_line(pod, monkeypatch):
    """The command `wakee-db`, on a database of the test's choice."""

    def run(settings: DatabaseSettings | str, *arguments: str):
        url = settings if isinstance(settings, str) else settings.url.get_secret_value()
        monkeypatch.setenv("NEON_DATABASE_URL", url)
        return CliRunner().invoke(app, arguments)

    return run


def test_the_command_says_what_it_did(command_line, empty_database):
    assert "current unmanaged" in command_line(empty_database, "current").stdout
    assert command_line(empty_database, "upgrade").stdout == f"schema: unmanaged -> {head_revision()}\n"
    assert command_line(empty_database, "upgrade").stdout == f"schema: already at {head_revision()}\n"
    assert command_line(empty_database, "current").stdout == f"current {head_revision()}, newest {head_revision()}\n"


@pytest.mark.parametrize("command", ["upgrade", "current"])
def test_the_command_fails_in_one_line(command_line, command):
    outcome = command_line("not-an-address", command)

    assert outcome.exit_code == 2
    assert "NEON_DATABASE_URL" in outcome.output
    assert "Traceback" not in outcome.output
