"""Which version is in production: the flag in `model_versions`, and the table `promotions`, which keeps every change.

A change and its row are written in one transaction. Nothing changes or deletes rows of `promotions`: the database
refuses that. Which version was in production at a moment is the newest row up to then:

    SELECT version_name FROM promotions WHERE promoted_at <= '2026-03-31' ORDER BY promoted_at DESC, id DESC LIMIT 1
"""

from dataclasses import dataclass
from typing import Literal

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a type, whatever its case
from wakee_common.settings import RunContext

PRODUCTION = "SELECT version_name FROM model_versions WHERE is_production FOR UPDATE"
# A row that was there before us may not say since when it is in production; a rollback needs to know that it was.
DEMOTE = (
    "UPDATE model_versions SET is_production = false, updated_at = now() AT TIME ZONE 'utc',"
    " deployed_at = COALESCE(deployed_at, created_at, now() AT TIME ZONE 'utc')"
    " WHERE is_production AND version_name <> %s"
)
# The time of a deployment stays as it was when nothing changes.
PROMOTE = (
    "UPDATE model_versions SET is_production = true, deployed_at = now() AT TIME ZONE 'utc',"
    " updated_at = now() AT TIME ZONE 'utc' WHERE version_name = %s AND is_production IS NOT TRUE"
)
KEEP = (
    "INSERT INTO promotions (version_name, replaced, decided_by, reason, dag_id, run_id)"
    " VALUES (%s, %s, %s, %s, %s, %s)"
)


@dataclass(frozen=True)
class Cause:
    """Why production changes.

    Attributes:
        decided_by: The gate of a retraining, somebody who asked for a rollback, or a run that finished what an earlier
            one had begun.
        reason: In words, with numbers where there are any.
        dag_id: Of the run that changes it.
        run_id: The same.
    """

    decided_by: Literal["gate", "rollback", "recovery"]
    reason: str
    dag_id: str
    run_id: str

    @classmethod
    def of(cls, context: RunContext, decided_by: Literal["gate", "rollback", "recovery"], reason: str) -> "Cause":
        """The cause of a change that a run makes."""
        return cls(decided_by, reason, context.dag_id, context.run_id)


def make_production(cursor: Cursor, version: str, cause: Cause) -> str | None:
    """Let this version be the only one in production; returns which one was, if it was another."""
    cursor.execute(PRODUCTION)
    found = cursor.fetchone()
    replaced = str(found[0]) if found and found[0] != version else None
    cursor.execute(DEMOTE, (version,))
    cursor.execute(PROMOTE, (version,))
    if cursor.rowcount:
        cursor.execute(KEEP, (version, replaced, cause.decided_by, cause.reason, cause.dag_id, cause.run_id))
    return replaced
