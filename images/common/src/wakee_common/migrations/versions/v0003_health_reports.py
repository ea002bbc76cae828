"""A row per health check run and check, for the history that the report shows."""

from alembic import op

revision = "0003"
down_revision = "0002"

HEALTH_REPORTS = """
CREATE TABLE IF NOT EXISTS health_reports (
    id serial PRIMARY KEY,
    dag_id varchar(250) NOT NULL,
    run_id varchar(250) NOT NULL,
    check_name varchar(100) NOT NULL,
    run_at timestamp NOT NULL,
    status varchar(20) NOT NULL,
    severity varchar(20) NOT NULL,
    cause text NOT NULL DEFAULT '',
    latency_p50_ms double precision,
    latency_p95_ms double precision,
    seconds double precision,
    facts jsonb,
    warnings jsonb,
    report_uri varchar(500),
    image varchar(300),
    git_commit varchar(40),
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now(),
    UNIQUE (dag_id, run_id, check_name)
)"""


def upgrade() -> None:
    op.execute(HEALTH_REPORTS)
    op.execute("CREATE INDEX IF NOT EXISTS health_reports_run_at ON health_reports (dag_id, run_at DESC)")
