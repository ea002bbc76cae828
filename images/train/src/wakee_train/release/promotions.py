"""The version in production: the flag in `model_versions`, and the table `promotions`, the history of changes.

A change and its row are written in one transaction. The table `promotions` is append-only, enforced by the database.
The version in production at a given time is that of the newest row up to then:

    SELECT version_name FROM promotions WHERE promoted_at <= '2026-03-31' ORDER BY promoted_at DESC, id DESC LIMIT 1
"""

from dataclasses import dataclass
from typing import Literal

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class, despite its lower-case name
from wakee_common.settings import RunContext

PRODUCTION = "SELECT version_name FROM model_versions WHERE is_production FOR UPDATE"
# A row older than the pipeline may lack a deployment time. Set one: a rollback must see that it was in production.
DEMOTE = (
    "UPDATE model_versions SET is_production = false, updated_at = now() AT TIME ZONE 'utc',"
    " deployed_at = COALESCE(deployed_at, created_at, now() AT TIME ZONE 'utc')"
    " WHERE is_production AND version_name <> %s"
)
# If the version is in production already, its deployment time is kept.
PROMOTE = (
    "UPDATE model_versions SET is_production = true, deployed_at = now() AT TIME ZONE 'utc',"
    " updated_at = now() AT TIME ZONE 'utc' WHERE version_name = %s AND is_production IS NOT TRUE"
)
KEEP = (
    "INSERT INTO promotions (version_name, replaced, decided_by, reason, dag_id, run_id)"
    " VALUES (%s, %s, %s, %s, %s, %s)"
)
DecidedBy = Literal["gate", "rollback", "recovery"]


@dataclass(frozen=True)
class Cause:
    """The reason for a change of production.

    Attributes:
        decided_by: The gate of a retraining, a rollback, or the recovery of an interrupted change.
        reason: In words, with the numbers if there are any.
        dag_id: DAG of the run that makes the change.
        run_id: Id of that run.
    """

    decided_by: DecidedBy
    reason: str
    dag_id: str
    run_id: str

    @classmethod
    def of(cls, context: RunContext, decided_by: DecidedBy, reason: str) -> "Cause":
        """Create the cause of a change by this run."""
        return cls(decided_by, reason, context.dag_id, context.run_id)


def make_production(cursor: Cursor, version: str, cause: Cause) -> str | None:
    """Make this version the only one in production. Returns the version that it replaced, if any."""
    cursor.execute(PRODUCTION)
    found = cursor.fetchone()
    replaced = str(found[0]) if found and found[0] != version else None
    cursor.execute(DEMOTE, (version,))
    cursor.execute(PROMOTE, (version,))
    if cursor.rowcount:
        cursor.execute(KEEP, (version, replaced, cause.decided_by, cause.reason, cause.dag_id, cause.run_id))
    return replaced
