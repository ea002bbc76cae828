"""Read earlier reports and retrainings from the database, for the trigger."""

from datetime import date, timedelta
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class, despite its lowercase name

from wakee_drift.trigger.conditions import History

EARLIER = """
SELECT report_date, report_json #>> '{retraining,version}', report_json #>> '{retraining,above}'
FROM drift_reports WHERE report_date < %s AND report_date >= %s ORDER BY report_date DESC"""
RETRAINED = """
SELECT version_name, created_at FROM model_versions
WHERE run_id IS NOT NULL AND created_at IS NOT NULL ORDER BY created_at DESC, id DESC LIMIT 1"""
ASKED = """
SELECT max(updated_at) FROM drift_reports WHERE report_json #>> '{retraining,retrain}' = 'true' AND run_id <> %s"""
NEW_SAMPLES = """
SELECT count(*) FROM emotion_labels
WHERE is_validated AND isfinite("timestamp") AND "timestamp" > COALESCE(%s, '-infinity'::timestamp)"""


def history(cursor: Cursor, run_id: str, report_date: date, version: str | None, days: int) -> History:
    """Read the history of reports and retrainings.

    Args:
        cursor: Within a transaction.
        run_id: The current run. A retraining that an earlier attempt of this run requested does not count.
        report_date: The day of the current report.
        version: The version in production.
        days: How many days to look back for reports.
    """
    cursor.execute(RETRAINED)
    retrained, retrained_at = cursor.fetchone() or (None, None)
    cursor.execute(NEW_SAMPLES, (retrained_at,))
    (new_samples,) = cursor.fetchone() or (0,)
    cursor.execute(ASKED, (run_id,))
    (asked_for_at,) = cursor.fetchone() or (None,)
    cursor.execute(EARLIER, (report_date, report_date - timedelta(days=days)))
    return History(
        days_above=_days_above(cursor.fetchall(), report_date, version),
        retrained=retrained,
        retrained_at=retrained_at,
        new_samples=new_samples,
        asked_for_at=asked_for_at,
    )


def _days_above(reports: list[tuple[Any, ...]], report_date: date, version: str | None) -> int:
    """Count the consecutive days right before this one whose score of the same version was above the threshold."""
    days = 0
    for day, judged, above in reports:
        if day != report_date - timedelta(days=days + 1) or judged != version or above != "true":
            break
        days += 1
    return days
