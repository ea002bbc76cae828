"""Back-date model versions, so that they are as old as the rows that they are supposed to have predicted.

Seeded rows are in the past, but a model that was trained in the sandbox is new. Drift detection, which determines the
version that predicted each row, would attribute none of the rows to it.
"""

import logging
from datetime import datetime

from psycopg2.extensions import cursor
from wakee_common.database import transact
from wakee_common.settings import DatabaseSettings

logger = logging.getLogger(__name__)

NEWEST = "SELECT version_name, promoted_at FROM promotions ORDER BY promoted_at DESC, id DESC LIMIT 1"
# The table is append-only, so its trigger is disabled for the shift.
SHIFT = """
ALTER TABLE promotions DISABLE TRIGGER append_only;
UPDATE promotions SET promoted_at = promoted_at + %(shift)s;
ALTER TABLE promotions ENABLE TRIGGER append_only;
UPDATE model_versions SET created_at = created_at + %(shift)s, deployed_at = deployed_at + %(shift)s"""
REPORTS = "UPDATE drift_reports SET updated_at = LEAST(updated_at, %s)"


def backdate(database: DatabaseSettings, promoted_at: datetime) -> str | None:
    """Shift the times of all versions together, so that the newest promotion has this time.

    Drift reports, which may have triggered a retraining, get at most this time, also without any promotion.

    Args:
        database: The database with the versions.
        promoted_at: Time in UTC, without a time zone.

    Returns:
        The version that was promoted at that time; None if there was no promotion.
    """

    def work(at: cursor) -> str | None:
        at.execute(REPORTS, (promoted_at,))
        at.execute(NEWEST)
        found = at.fetchone()
        if found is None:
            return None
        at.execute(SHIFT, {"shift": promoted_at - found[1]})
        return str(found[0])

    version = transact(database, work)
    logger.info("%s: promoted on %s", version or "no version", promoted_at)
    return version
