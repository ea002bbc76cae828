"""The schema migrations on an empty database, and on one that production has filled."""

from datetime import timedelta

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


WRITTEN = """
INSERT INTO emotion_labels (img_name, s3_path, predicted_boredom, predicted_confusion, predicted_engagement,
    predicted_frustration) VALUES ('c', 'c', 0, 0, 0, 0);
INSERT INTO drift_reports (report_date, drift_detected, drift_score, num_samples) VALUES ('2026-01-01', true, 1, 1);
INSERT INTO health_reports (dag_id, run_id, check_name, run_at, status, severity)
    VALUES ('a', 'b', 'c', '2026-01-01', 'ok', 'x')"""
"""Rows whose times come from the defaults."""


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
    ours = {"emotion_labels", "drift_reports", "model_versions", "health_reports", "promotions"}
    assert tables == {"alembic_version", *ours}


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


def test_earlier_deployments_are_the_first_promotions(production_database):
    upgrade_database(production_database)

    rows = execute(
        production_database, "SELECT version_name, replaced, reason FROM promotions ORDER BY promoted_at, id"
    )
    before = "deployed before this table was kept"
    assert rows == [
        ("v1", None, before),
        ("v2", "v1", before),
        ("v4", "v2", before),
        ("v2", "v4", "found in production"),
    ]


@pytest.mark.parametrize("change", ["UPDATE promotions SET version_name = 'v1'", "DELETE FROM promotions"])
def test_what_was_promoted_cannot_be_changed(production_database, change):
    upgrade_database(production_database)

    with pytest.raises(psycopg2.errors.RaiseException, match="append-only"):
        execute(production_database, change)


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
def far_away(production_database):
    """The same where the zone is not UTC, and where somebody else made the tables, with zones."""
    name = production_database.url.get_secret_value().rpartition("/")[2]
    execute(production_database, f"ALTER DATABASE {name} SET timezone = 'Australia/Adelaide'")
    statements = """
        ALTER TABLE emotion_labels ALTER timestamp SET DEFAULT now();
        ALTER TABLE drift_reports ALTER created_at TYPE timestamptz, ALTER created_at SET DEFAULT now();
        UPDATE drift_reports SET created_at = '2025-02-04 12:00+00'"""
    execute(production_database, statements)
    return production_database


def test_times_are_in_utc_whatever_the_zone(far_away):
    upgrade_database(far_away)

    assert execute(far_away, "SELECT created_at::text FROM drift_reports") == [("2025-02-04 12:00:00",)]
    execute(far_away, WRITTEN)
    ages = """
        SELECT now() AT TIME ZONE 'utc' - timestamp FROM emotion_labels WHERE img_name = 'c'
        UNION ALL SELECT now() AT TIME ZONE 'utc' - created_at FROM drift_reports WHERE report_date = '2026-01-01'
        UNION ALL SELECT now() AT TIME ZONE 'utc' - created_at FROM health_reports"""
    assert [abs(age) < timedelta(minutes=5) for (age,) in execute(far_away, ages)] == [True] * 3


def test_the_apis_own_column_keeps_its_type(production_database):
    execute(production_database, "ALTER TABLE emotion_labels ALTER timestamp TYPE timestamptz")
    upgrade_database(production_database)
    assert ("emotion_labels", "timestamp", "timestamp with time zone") in columns(production_database)


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


def test_a_dry_run_says_what_would_change_and_changes_nothing(command_line, far_away):
    before = columns(far_away)
    said = command_line(far_away, "upgrade", "--dry-run").stdout
    naive = "timestamp without time zone"
    assert f"drift_reports.created_at: timestamp with time zone default now() -> {naive}" in said
    assert (
        f"emotion_labels.timestamp: {naive} default now() -> {naive} default (now() AT TIME ZONE 'utc'::text)" in said
    )
    assert "model_versions.lineage: missing -> jsonb" in said
    assert (columns(far_away), current_revision(far_away)) == (before, None)
    upgrade_database(far_away)
    assert command_line(far_away, "upgrade", "--dry-run").stdout == "no column changes\n"


@pytest.mark.parametrize("command", ["upgrade", "current"])
def test_the_command_fails_in_one_line(command_line, command):
    outcome = command_line("not-an-address", command)

    assert outcome.exit_code == 2
    assert "NEON_DATABASE_URL" in outcome.output
    assert "Traceback" not in outcome.output
