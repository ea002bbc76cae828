"""`test-database`: check the connection, the schema, fresh data, and a write."""

import logging
import time
import uuid
from contextlib import closing
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, despite its lowercase name
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from wakee_common.database import connect, first_statements
from wakee_common.errors import ConfigurationError, UnavailableError, one_line
from wakee_common.migrations.cli import current_revision, head_revision, is_known
from wakee_common.settings import DatabaseSettings
from wakee_contract.tables import LABELS, PREDICTED

from wakee_health.errors import WrongAnswerError
from wakee_health.probes.schema import EXPECTED, differences
from wakee_health.probes.timing import Stopwatch, slowness
from wakee_health.results import Latency, ProbeResult

logger = logging.getLogger(__name__)

COLD_START_SECONDS = 5.0
STATEMENT_SECONDS = 30
CROWDED = 0.8
MOST_PROBLEMS = 8
PROBE_ID = -1
"""An id that no sequence generates. Inserting it explicitly does not advance the sequence."""

COLUMNS = (
    "SELECT table_name, column_name, data_type FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND table_name = ANY(%s)"
)
CONNECTIONS = "SELECT (SELECT count(*) FROM pg_stat_activity), current_setting('max_connections')::int"
FRESHNESS = (
    "SELECT count(*), count(*) FILTER (WHERE is_validated),"
    " (extract(epoch FROM now() AT TIME ZONE 'UTC') - extract(epoch FROM max(timestamp) FILTER ("
    "WHERE isfinite(timestamp) AND timestamp < now() AT TIME ZONE 'UTC' + interval '1 day'))) / 86400,"
    " count(*) FILTER (WHERE is_validated AND ({nulls})) FROM emotion_labels"
).format(nulls=" OR ".join(f"{column} IS NULL" for column in LABELS))
COUNTS = "SELECT (SELECT count(*) FROM drift_reports), (SELECT count(*) FROM model_versions)"
WRITE = (
    "INSERT INTO emotion_labels (id, img_name, s3_path, {columns}, is_validated) VALUES (%s, %s, %s, {values}, false)"
).format(columns=", ".join(PREDICTED), values=", ".join("0" for _ in PREDICTED))
READ = "SELECT img_name FROM emotion_labels WHERE id = %s"


def probe(settings: DatabaseSettings, calls: int, slow_ms: float, stale_days: float, most_nulls: float) -> ProbeResult:
    """Connect, read, and try a write that is rolled back.

    Raises:
        ConfigurationError: wrong credentials, a wrong schema, or migrations that have not been run.
        UnavailableError: no connection, or the connection dropped.
        WrongAnswerError: a query failed, or the written row could not be read back.
    """
    start = time.monotonic()
    try:
        with closing(connect(settings)) as connection:
            waking = time.monotonic() - start
            facts, seconds = _inspect(connection, settings, calls)
    except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
        raise UnavailableError(f"the database closed the connection or canceled a query: {one_line(error)}") from error
    except psycopg2.Error as error:
        raise WrongAnswerError(f"the database rejected a query: {one_line(error)}") from error
    facts = {"connect_ms": round(waking * 1000, 1), "cold_start": waking > COLD_START_SECONDS, **facts}
    facts["migration"] = check_migrations(settings)
    warnings = slowness("the database", Latency.of(seconds).p95_ms, slow_ms)
    return ProbeResult.of(seconds, facts, warnings + data_warnings(facts, stale_days, most_nulls))


def _inspect(connection: Connection, settings: DatabaseSettings, calls: int) -> tuple[dict[str, Any], list[float]]:
    watch = Stopwatch()
    with connection.cursor() as cursor:
        _begin(cursor, settings)
        for _ in range(calls):
            with watch.measured():
                cursor.execute("SELECT 1")
                cursor.fetchone()
        version = str(_row(cursor, "SHOW server_version")[0])
        check_schema(cursor)
        used, limit = _row(cursor, CONNECTIONS)
        facts = {"server_version": version, "connections": used, "max_connections": limit, **_contents(cursor)}
    connection.rollback()
    check_write(connection, settings)
    return facts, watch.seconds


def check_schema(cursor: Cursor) -> None:
    """Compare the tables with what the pipeline expects.

    Raises:
        ConfigurationError: tables or columns are missing, or columns have another type.
    """
    cursor.execute(COLUMNS, (list(EXPECTED),))
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in cursor.fetchall():
        found.setdefault(table, {})[column] = kind
    if problems := differences(found):
        named = ", ".join(problems[:MOST_PROBLEMS])
        more = f" and {len(problems) - MOST_PROBLEMS} more" if len(problems) > MOST_PROBLEMS else ""
        raise ConfigurationError(f"the database schema does not match this image: {named}{more}")


def check_migrations(settings: DatabaseSettings) -> str:
    """Return the revision of the schema.

    Raises:
        ConfigurationError: the schema is not at the newest revision of this image.
    """
    current, head = current_revision(settings), head_revision()
    if current != head:
        newer = current is not None and not is_known(current)
        remedy = "The image is older than the schema: deploy a newer one" if newer else "Run `wakee-db upgrade`"
        raise ConfigurationError(f"the schema is at migration {current or 'none'}, this image expects {head}. {remedy}")
    return str(current)


def check_write(connection: Connection, settings: DatabaseSettings) -> None:
    """Write a row, read it back, and roll it back.

    Raises:
        WrongAnswerError: the row cannot be written, or reads differently.
    """
    name = f"health-check/{uuid.uuid4().hex}"
    try:
        with connection.cursor() as cursor:
            _begin(cursor, settings)
            cursor.execute(WRITE, (PROBE_ID, name, name))
            read = _row(cursor, READ, (PROBE_ID,))[0]
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        raise
    except psycopg2.Error as error:
        raise WrongAnswerError(f"cannot write to the database: {one_line(error)}") from error
    finally:
        connection.rollback()
    if read != name:
        raise WrongAnswerError(f"the database returned {read!r} instead of {name!r}")


def _begin(cursor: Cursor, settings: DatabaseSettings) -> None:
    statements = *first_statements(settings), f"SET LOCAL statement_timeout = '{STATEMENT_SECONDS}s'"
    cursor.execute("; ".join(statements))


def data_warnings(facts: dict[str, Any], stale_days: float, most_nulls: float) -> list[str]:
    """Return warnings about the rows and the connections."""
    warnings = []
    if facts["cold_start"]:
        warnings.append(f"the database took {facts['connect_ms'] / 1000:.1f} s to wake up")
    if facts["newest_annotation_days"] is None:
        warnings.append("emotion_labels has no annotation with a timestamp")
    elif facts["newest_annotation_days"] > stale_days:
        warnings.append(f"the newest annotation is {facts['newest_annotation_days']:.1f} days old")
    if facts["null_share"] > most_nulls:
        warnings.append(f"{facts['null_share']:.1%} of the validated annotations lack a correction")
    if facts["connections"] > CROWDED * facts["max_connections"]:
        warnings.append(f"{facts['connections']} of {facts['max_connections']} connections are in use")
    return warnings


def _contents(cursor: Cursor) -> dict[str, Any]:
    rows, validated, days, nulls = _row(cursor, FRESHNESS)
    reports, versions = _row(cursor, COUNTS)
    return {
        "annotations": rows,
        "validated": validated,
        # Without times in the future. Computed in PostgreSQL, because Python does not support times such as "infinity".
        "newest_annotation_days": None if days is None else round(float(days), 2),
        "null_share": round(nulls / validated, 4) if validated else 0.0,
        "drift_reports": reports,
        "model_versions": versions,
    }


def _row(cursor: Cursor, query: str, values: tuple[Any, ...] = ()) -> tuple[Any, ...]:
    cursor.execute(query, values or None)
    row = cursor.fetchone()
    if row is None:
        raise WrongAnswerError(f"the database returned no row for: {query[:60]}")
    return tuple(row)
