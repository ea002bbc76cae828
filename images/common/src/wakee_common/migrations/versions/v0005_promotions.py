"""A table of every change of production: which version replaced which, when, and who decided it.

Earlier deployments are copied from `model_versions`: one row per version that was in production.
"""

from alembic import op

revision = "0005"
down_revision = "0004"

PROMOTIONS = """
CREATE TABLE IF NOT EXISTS promotions (
    id serial PRIMARY KEY,
    version_name varchar(100) NOT NULL,
    replaced varchar(100),
    promoted_at timestamp NOT NULL DEFAULT (now() AT TIME ZONE 'utc'),
    decided_by varchar(100) NOT NULL,
    reason text NOT NULL,
    dag_id varchar(250),
    run_id varchar(250)
)"""

APPEND_ONLY = """
CREATE OR REPLACE FUNCTION promotions_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'promotions is append-only: a correction is a new row';
END $$;
DROP TRIGGER IF EXISTS append_only ON promotions;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON promotions
    FOR EACH ROW EXECUTE FUNCTION promotions_append_only()"""

TAKE_OVER = """
INSERT INTO promotions (version_name, replaced, promoted_at, decided_by, reason)
SELECT version_name, lag(version_name) OVER times, moment, 'migration', 'deployed before this table was kept'
FROM (
    SELECT id, version_name, COALESCE(deployed_at, created_at, now() AT TIME ZONE 'utc') AS moment
    FROM model_versions WHERE deployed_at IS NOT NULL OR is_production
) AS deployed
WHERE NOT EXISTS (SELECT FROM promotions)
WINDOW times AS (ORDER BY moment, id)
ORDER BY moment, id"""

# An older version may have been put back by hand, without a time.
FOUND = """
INSERT INTO promotions (version_name, replaced, decided_by, reason)
SELECT model.version_name, newest.version_name, 'migration', 'found in production'
FROM model_versions AS model
JOIN (SELECT version_name FROM promotions ORDER BY promoted_at DESC, id DESC LIMIT 1) AS newest
    ON newest.version_name <> model.version_name
WHERE model.is_production"""


def upgrade() -> None:
    op.execute(PROMOTIONS)
    op.execute("CREATE INDEX IF NOT EXISTS promotions_promoted_at ON promotions (promoted_at, id)")
    op.execute(APPEND_ONLY)
    op.execute(TAKE_OVER)
    op.execute(FOUND)
