"""The database has our tables, with plausible rows."""

import pytest
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, despite its lowercase name
from wakee_common.settings import DatabaseSettings
from wakee_contract.emotions import EMOTIONS, HIGHEST_LEVEL, LOWEST_LEVEL

from wakee_health.probes.database import check_migrations, check_schema, check_write

OUTSIDE = f"SELECT count(*) FROM emotion_labels WHERE NOT predicted_{{}} BETWEEN {LOWEST_LEVEL} AND {HIGHEST_LEVEL}"
TOTAL = "SELECT count(*) FROM emotion_labels"
LARGEST_SHARE = 0.05


def _number(database: Connection, query: str) -> int:
    with database.cursor() as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def test_schema(database: Connection) -> None:
    """All tables and columns exist and have the expected types."""
    with database.cursor() as cursor:
        check_schema(cursor)


def test_migrations(database_settings: DatabaseSettings) -> None:
    """The newest migration has been run."""
    assert check_migrations(database_settings)


def test_write_and_roll_back(database: Connection, database_settings: DatabaseSettings) -> None:
    """A row can be written, read and rolled back."""
    before = _number(database, TOTAL)
    check_write(database, database_settings)
    assert _number(database, TOTAL) == before


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_predictions_are_on_the_scale(database: Connection, emotion: str) -> None:
    """At least 95 % of the predictions of each emotion are in 0..3."""
    assert _number(database, OUTSIDE.format(emotion)) <= LARGEST_SHARE * _number(database, TOTAL)


def test_one_model_in_production_at_most(database: Connection) -> None:
    """At most one model is in production."""
    assert _number(database, "SELECT count(*) FROM model_versions WHERE is_production") <= 1


def test_drift_scores_are_on_the_scale(database: Connection) -> None:
    """All drift scores are between 0 and 3."""
    assert _number(database, "SELECT count(*) FROM drift_reports WHERE NOT drift_score BETWEEN 0 AND 3") == 0
