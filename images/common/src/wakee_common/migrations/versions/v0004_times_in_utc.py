"""Times in UTC: defaults independent of the session's time zone, and columns without time zone in our own tables.

The annotations' time belongs to the Wakee API: its type stays, and only its default changes to UTC. Existing rows keep
their times.
"""

from alembic import op
from sqlalchemy import text

revision = "0004"
down_revision = "0003"

OURS = ("drift_reports", "model_versions", "health_reports")
TIMES = text("""
SELECT table_name, column_name, data_type, column_default FROM information_schema.columns
WHERE table_schema = current_schema() AND data_type LIKE 'timestamp%'
    AND table_name IN ('emotion_labels', 'drift_reports', 'model_versions', 'health_reports')
ORDER BY table_name, ordinal_position""")
WITH_ZONE = "timestamp with time zone"
NOW = {WITH_ZONE: "now()", "timestamp without time zone": "(now() AT TIME ZONE 'utc')"}


def upgrade() -> None:
    for table, column, kind, default in op.get_bind().execute(TIMES).fetchall():
        alter = f'ALTER TABLE {table} ALTER COLUMN "{column}"'
        converted = kind == WITH_ZONE and table in OURS
        if converted:
            op.execute(
                f'{alter} DROP DEFAULT, ALTER COLUMN "{column}" TYPE timestamp USING "{column}" AT TIME ZONE \'utc\''
            )
            kind = "timestamp without time zone"
        if default:
            op.execute(f"{alter} SET DEFAULT {NOW[kind]}")
