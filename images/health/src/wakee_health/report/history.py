"""The table `health_reports`: one row per run and check, and one (`overall`) per run."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class, despite its lowercase name
from psycopg2.extras import Json
from wakee_common.database import transact, upsert
from wakee_common.settings import DatabaseSettings, RunContext
from wakee_contract.tables import HEALTH_REPORTS

from wakee_health.report.checks import Check

OVERALL = "overall"
IMPATIENCE_SECONDS = 20.0
KEYS = ("dag_id", "run_id", "check_name")
LAST_RUNS = """
WITH runs AS (
    SELECT run_id, run_at FROM health_reports
    WHERE dag_id = %s AND check_name = %s ORDER BY run_at DESC, id DESC LIMIT %s
)
SELECT r.run_id, r.run_at, h.check_name, h.status, h.latency_p95_ms
FROM runs r JOIN health_reports h ON h.dag_id = %s AND h.run_id = r.run_id
ORDER BY r.run_at, r.run_id, h.id"""


@dataclass(frozen=True)
class PastRun:
    """A run, as shown in the chart."""

    run_id: str
    run_at: datetime
    statuses: dict[str, str]
    p95_ms: dict[str, float]


def save(
    settings: DatabaseSettings, context: RunContext, run_at: datetime, checks: Sequence[Check], report_uri: str
) -> int:
    """Insert or update the rows of a run in one transaction; return their number."""
    rows = [_row(context, run_at, check, report_uri) for check in checks]

    def work(cursor: Cursor) -> int:
        for row in rows:
            upsert(cursor, HEALTH_REPORTS, KEYS, row, unchanged=["run_at"])
        return len(rows)

    return transact(impatient(settings), work)


def last_runs(settings: DatabaseSettings, context: RunContext, count: int) -> list[PastRun]:
    """Return the newest runs, oldest first."""

    def work(cursor: Cursor) -> list[tuple[Any, ...]]:
        cursor.execute(LAST_RUNS, (context.dag_id, OVERALL, count, context.dag_id))
        return [tuple(row) for row in cursor.fetchall()]

    runs: dict[str, PastRun] = {}
    for run_id, run_at, check, status, p95 in transact(impatient(settings), work):
        run = runs.setdefault(run_id, PastRun(run_id, run_at, {}, {}))
        run.statuses[check] = status
        if p95 is not None:
            run.p95_ms[check] = p95
    return list(runs.values())


def impatient(settings: DatabaseSettings) -> DatabaseSettings:
    """Shorten the wait for the database, because the summary must be written even if the database is down."""
    return settings.model_copy(update={"wake_up_seconds": min(settings.wake_up_seconds, IMPATIENCE_SECONDS)})


def _row(context: RunContext, run_at: datetime, check: Check, report_uri: str) -> dict[str, Any]:
    return {
        "dag_id": context.dag_id,
        "run_id": context.run_id,
        "check_name": check.name,
        "run_at": run_at.replace(tzinfo=None),
        "status": check.status,
        "severity": check.severity,
        "cause": check.cause,
        "latency_p50_ms": check.p50_ms,
        "latency_p95_ms": check.p95_ms,
        "seconds": check.seconds,
        "facts": Json(check.facts),
        "warnings": Json(check.warnings),
        "report_uri": report_uri,
        "image": context.image,
        "git_commit": context.git_commit[:40],
    }
