"""The Wakee API's access to the table `emotion_labels`."""

from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from psycopg2 import sql
from psycopg2.extras import RealDictCursor
from wakee_common.database import connect, transact
from wakee_common.settings import DatabaseSettings
from wakee_contract.tables import LABELS, PREDICTED

LEVELS = [*PREDICTED, *LABELS]
COLUMNS = ["img_name", "s3_path", *LEVELS, "timestamp", "source", "is_validated"]
UPSERT = sql.SQL(
    "INSERT INTO emotion_labels ({columns}) VALUES ({values}) ON CONFLICT (img_name) DO UPDATE SET {updates}"
)
COUNTS = (
    "SELECT count(*) AS total_samples, count(*) FILTER (WHERE is_validated) AS validated_samples FROM emotion_labels"
)
RECENT = "SELECT * FROM emotion_labels ORDER BY timestamp DESC NULLS LAST, id DESC LIMIT %s"


def insert(database: DatabaseSettings, name: str, levels: dict[str, float]) -> None:
    """Write a validated annotation. An existing row of the same name is replaced."""
    row = {"img_name": name, "s3_path": name, **levels, "source": "app_sourcing", "is_validated": True}
    row["timestamp"] = datetime.now(UTC).replace(tzinfo=None)
    statement = UPSERT.format(
        columns=sql.SQL(", ").join(map(sql.Identifier, COLUMNS)),
        values=sql.SQL(", ").join(map(sql.Placeholder, COLUMNS)),
        updates=sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(c)) for c in COLUMNS[1:]),
    )
    transact(database, lambda cursor: cursor.execute(statement, row))


def overview(database: DatabaseSettings, limit: int) -> dict[str, Any]:
    """Read counts, means per emotion and the newest rows."""
    means = ", ".join(f"avg({level}) FILTER (WHERE {level} <> 'NaN') AS {level}" for level in LEVELS)
    with closing(connect(database)) as connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
        cursor.execute(COUNTS)
        answer = dict(cursor.fetchone() or {})
        cursor.execute(f"SELECT {means} FROM emotion_labels WHERE is_validated")
        answer["statistics"] = dict(cursor.fetchone() or {})
        cursor.execute(RECENT, (limit,))
        answer["recent_predictions"] = [_without_nan(dict(row)) for row in cursor.fetchall()]
    return answer


def _without_nan(row: dict[str, Any]) -> dict[str, Any]:
    """Replace NaN by None, because JSON has no NaN."""
    return {name: None if value != value else value for name, value in row.items()}
