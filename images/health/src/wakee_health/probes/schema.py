"""Columns that the pipeline expects in the existing tables, and a comparison with the actual ones."""

from collections.abc import Mapping

from wakee_contract.emotions import EMOTIONS
from wakee_contract.tables import PREDICTED_BY

INTEGER, NUMBER, TEXT, FLAG, DAY = "integer", "double precision", "character varying", "boolean", "date"
MOMENT, JSON = "timestamp without time zone", "jsonb"

LIKE: dict[str, frozenset[str]] = {
    INTEGER: frozenset({INTEGER, "bigint", "smallint"}),
    NUMBER: frozenset({NUMBER, "real", "numeric"}),
    TEXT: frozenset({TEXT, "text"}),
    MOMENT: frozenset({MOMENT, "timestamp with time zone"}),
    JSON: frozenset({JSON, "json"}),
}
"""Types that are accepted in place of the expected type."""

Columns = Mapping[str, str]


def _per_emotion(*prefixes: str) -> dict[str, str]:
    return {f"{prefix}_{emotion}": NUMBER for prefix in prefixes for emotion in EMOTIONS}


EXPECTED: dict[str, dict[str, str]] = {
    "emotion_labels": {
        "id": INTEGER,
        "img_name": TEXT,
        "s3_path": TEXT,
        **_per_emotion("predicted", "user"),
        "timestamp": MOMENT,
        "source": TEXT,
        "is_validated": FLAG,
        "user_id": TEXT,
        "session_id": TEXT,
    },
    "drift_reports": {
        "id": INTEGER,
        "report_date": DAY,
        "drift_detected": FLAG,
        "drift_score": NUMBER,
        **_per_emotion("mae", "mse"),
        "num_samples": INTEGER,
        "drift_threshold": NUMBER,
        "report_json": JSON,
        "created_at": MOMENT,
        "updated_at": MOMENT,
    },
    "model_versions": {
        "id": INTEGER,
        "version_name": TEXT,
        "model_type": TEXT,
        "framework": TEXT,
        "hf_model_bin_url": TEXT,
        "hf_model_onnx_url": TEXT,
        "accuracy": NUMBER,
        "f1_score": NUMBER,
        **_per_emotion("mae"),
        **dict.fromkeys(("n_samples_train", "n_samples_val", "n_samples_test", "n_epochs", "batch_size"), INTEGER),
        "learning_rate": NUMBER,
        "mlflow_run_id": TEXT,
        "mlflow_experiment_id": TEXT,
        "is_production": FLAG,
        "deployed_at": MOMENT,
        "triggered_by_drift_report_id": INTEGER,
        "created_at": MOMENT,
        "updated_at": MOMENT,
    },
}


OPTIONAL: dict[str, dict[str, str]] = {"emotion_labels": {PREDICTED_BY: TEXT}}
"""Columns that may be missing. If they exist, they must have this type."""


def differences(found: Mapping[str, Columns]) -> list[str]:
    """Return what is missing or has another type. Additional columns are allowed.

    Args:
        found: Types by column and table, as in `information_schema`.
    """
    problems: list[str] = []
    for table, columns in EXPECTED.items():
        if not found.get(table):
            problems.append(f"table {table} is missing")
            continue
        present = {name: kind for name, kind in OPTIONAL.get(table, {}).items() if name in found[table]}
        problems += _table_differences(table, {**columns, **present}, found[table])
    return problems


def _table_differences(table: str, expected: Columns, found: Columns) -> list[str]:
    missing = [f"{table}.{name} is missing" for name in expected if name not in found]
    other = [
        f"{table}.{name} is {found[name]}, not {kind}"
        for name, kind in expected.items()
        if name in found and found[name] not in LIKE.get(kind, {kind})
    ]
    return missing + other
