"""Columns for drift metrics and lineage, an index for the look-back window, and a limit of one production model."""

from alembic import op

revision = "0002"
down_revision = "0001"

EMOTIONS = ("boredom", "confusion", "engagement", "frustration")

DRIFT_COLUMNS = {
    **{f"rmse_{emotion}": "double precision" for emotion in EMOTIONS},
    **{f"bias_{emotion}": "double precision" for emotion in EMOTIONS},
    "drift_score_low": "double precision",
    "drift_score_high": "double precision",
    "num_excluded": "integer",
    "window_start": "timestamp",
    "window_end": "timestamp",
    "report_uri": "varchar(500)",
    "dag_id": "varchar(250)",
    "run_id": "varchar(250)",
    "image": "varchar(300)",
    "git_commit": "varchar(40)",
}

MODEL_COLUMNS = {
    "lineage": "jsonb",
    "hf_commit": "varchar(64)",
    "dataset_id": "varchar(64)",
    "run_id": "varchar(250)",
}

# An adopted table may have several production rows. The one deployed last is kept.
DEMOTE_ALL_BUT_THE_NEWEST = """
UPDATE model_versions SET is_production = false, updated_at = now()
WHERE is_production AND id <> (
    SELECT id FROM model_versions WHERE is_production
    ORDER BY deployed_at DESC NULLS LAST, id DESC LIMIT 1
)"""


def upgrade() -> None:
    for table, columns in (("drift_reports", DRIFT_COLUMNS), ("model_versions", MODEL_COLUMNS)):
        for name, kind in columns.items():
            op.execute(f"ALTER TABLE {table} ADD COLUMN IF NOT EXISTS {name} {kind}")
    op.execute(
        "CREATE INDEX IF NOT EXISTS emotion_labels_validated_at ON emotion_labels (timestamp) WHERE is_validated"
    )
    op.execute(DEMOTE_ALL_BUT_THE_NEWEST)
    op.execute(
        "CREATE UNIQUE INDEX IF NOT EXISTS model_versions_one_production"
        " ON model_versions (is_production) WHERE is_production"
    )
