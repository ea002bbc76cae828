"""Select the rows that the version now in production predicted.

After a promotion, rows of the previous version stay in the look-back window for days. Their errors are not those of
the new version, and must not trigger another retraining.

If the Wakee API writes the version with its prediction (the optional column `model_version`), that column decides.
Otherwise the time decides: rows count from some time after the promotion on, when the API has loaded the new version.
"""

from datetime import timedelta

from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, despite its lowercase name
from wakee_contract.tables import EMOTION_LABELS, PREDICTED_BY

from wakee_drift.records import Production

# The flag may have been changed by hand, which adds no row to `promotions`.
IN_PRODUCTION = """
SELECT model.version_name,
    CASE WHEN newest.version_name = model.version_name THEN newest.promoted_at ELSE model.deployed_at END,
    model.lineage ->> 'reference'
FROM model_versions AS model
LEFT JOIN (SELECT version_name, promoted_at FROM promotions ORDER BY promoted_at DESC, id DESC LIMIT 1) AS newest
    ON true
WHERE model.is_production"""
HAS_COLUMN = """
SELECT EXISTS (SELECT FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = %s AND column_name = %s)"""


def in_production(connection: Connection, reload_minutes: float) -> tuple[Production, str]:
    """Return the version in production, and the time from which rows count as its predictions.

    Args:
        connection: The database.
        reload_minutes: How long the API may take to load a new version.

    Returns:
        The version, and the address of the sample of its training data; empty if it names none.
    """
    with connection.cursor() as cursor:
        cursor.execute(IN_PRODUCTION)
        found = cursor.fetchone()
    if found is None:
        return Production(), ""
    version, promoted_at, reference = found
    since = promoted_at and promoted_at + timedelta(minutes=reload_minutes)
    return Production(version=version, since=since), str(reference or "")


def predicted_by(connection: Connection, production: Production) -> sql.Composable:
    """Return an SQL expression: whether a row of `emotion_labels` was predicted by that version; never NULL."""
    if production.version is None:
        return sql.SQL("true")
    by_time: sql.Composable = sql.SQL("true")
    if production.since is not None:
        by_time = sql.SQL('COALESCE("timestamp" >= {}, false)').format(sql.Literal(production.since))
    with connection.cursor() as cursor:
        cursor.execute(HAS_COLUMN, (EMOTION_LABELS, PREDICTED_BY))
        (has_column,) = cursor.fetchone() or (False,)
    if not has_column:
        return by_time
    return sql.SQL("COALESCE({}::text = {}, {})").format(
        sql.Identifier(PREDICTED_BY), sql.Literal(production.version), by_time
    )
