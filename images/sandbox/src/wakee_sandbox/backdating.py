"""Model versions as old as the rows that they are said to have predicted.

Seeded rows lie in the past; a model that was trained in the sandbox does not. Drift detection, which asks which version
predicted a row, would find none of them to be its own.
"""

import logging
from datetime import datetime

from psycopg2.extensions import cursor
from wakee_common.database import transact
from wakee_common.settings import DatabaseSettings

logger = logging.getLogger(__name__)

NEWEST = "SELECT version_name, promoted_at FROM promotions ORDER BY promoted_at DESC, id DESC LIMIT 1"
# The table is append-only; a sandbox makes up its own past.
SHIFT = """
ALTER TABLE promotions DISABLE TRIGGER append_only;
UPDATE promotions SET promoted_at = promoted_at + %(shift)s;
ALTER TABLE promotions ENABLE TRIGGER append_only;
UPDATE model_versions SET created_at = created_at + %(shift)s, deployed_at = deployed_at + %(shift)s;
UPDATE drift_reports SET updated_at = LEAST(updated_at, %(promoted_at)s)"""


def backdate(database: DatabaseSettings, promoted_at: datetime) -> str | None:
    """Shift the times of all versions together, so that the newest promotion was at that moment.

    Drift reports, which may have asked for a retraining, are then no younger.

    Args:
        database: Where the versions are.
        promoted_at: Naive UTC.

    Returns:
        The version that was promoted then; None where none ever was.
    """

    def work(at: cursor) -> str | None:
        at.execute(NEWEST)
        found = at.fetchone()
        if found is None:
            return None
        at.execute(SHIFT, {"shift": promoted_at - found[1], "promoted_at": promoted_at})
        return str(found[0])

    version = transact(database, work)
    logger.info("%s: promoted on %s", version or "no version", promoted_at)
    return version
