"""Adopt the three tables of production, creating those that are missing."""

from alembic import op

revision = "0001"
down_revision = None

EMOTIONS = ("boredom", "confusion", "engagement", "frustration")


def _columns(template: str) -> str:
    return ", ".join(template.format(emotion) for emotion in EMOTIONS)


EMOTION_LABELS = f"""
CREATE TABLE IF NOT EXISTS emotion_labels (
    id serial PRIMARY KEY,
    img_name varchar(255) UNIQUE NOT NULL,
    s3_path varchar(500) NOT NULL,
    {_columns("predicted_{} double precision NOT NULL")},
    {_columns("user_{} double precision")},
    timestamp timestamp DEFAULT now(),
    source varchar(50),
    is_validated boolean DEFAULT false,
    user_id varchar(100),
    session_id varchar(100)
)"""

DRIFT_REPORTS = f"""
CREATE TABLE IF NOT EXISTS drift_reports (
    id serial PRIMARY KEY,
    report_date date NOT NULL UNIQUE,
    drift_detected boolean NOT NULL,
    drift_score double precision NOT NULL,
    {_columns("mae_{} double precision")},
    {_columns("mse_{} double precision")},
    num_samples integer NOT NULL,
    drift_threshold double precision DEFAULT 0.15,
    report_json jsonb,
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
)"""

MODEL_VERSIONS = f"""
CREATE TABLE IF NOT EXISTS model_versions (
    id serial PRIMARY KEY,
    version_name varchar(100) NOT NULL UNIQUE,
    model_type varchar(100),
    framework varchar(50),
    hf_model_bin_url varchar(500),
    hf_model_onnx_url varchar(500),
    accuracy double precision,
    f1_score double precision,
    {_columns("mae_{} double precision")},
    n_samples_train integer,
    n_samples_val integer,
    n_samples_test integer,
    n_epochs integer,
    learning_rate double precision,
    batch_size integer,
    mlflow_run_id varchar(100),
    mlflow_experiment_id varchar(100),
    is_production boolean DEFAULT false,
    deployed_at timestamp,
    triggered_by_drift_report_id integer REFERENCES drift_reports (id),
    created_at timestamp DEFAULT now(),
    updated_at timestamp DEFAULT now()
)"""


def upgrade() -> None:
    for statement in (EMOTION_LABELS, DRIFT_REPORTS, MODEL_VERSIONS):
        op.execute(statement)
