"""The table `model_versions`: one row per version, at most one of them in production."""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

from psycopg2 import errors
from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class, despite its lower-case name
from psycopg2.extras import Json
from wakee_common.database import transact, upsert
from wakee_common.errors import BadInputError
from wakee_common.files import workspace
from wakee_common.hub import ModelHub
from wakee_common.settings import DatabaseSettings, RunContext
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.emotions import EMOTIONS
from wakee_contract.tables import MODEL_VERSIONS

from wakee_train.records import Evaluation, Export, Publication, Tracking, Training, read_record
from wakee_train.release.promotions import Cause, make_production
from wakee_train.results import ModelVersionResult
from wakee_train.settings import HubSettings

logger = logging.getLogger(__name__)

T = TypeVar("T")

FRAMEWORK = "pytorch"
CHECK_VERSION = "wakee-check"
"""Version name of the test row, which is always rolled back."""


def check_writable(database: DatabaseSettings, drift_report_id: int | None) -> None:
    """Write a row as `update` does, and roll back.

    Raises:
        BadInputError: the drift report that the row names does not exist.
        ConfigurationError: the table or a column is missing, or write permission is missing.
    """

    def work(cursor: Cursor) -> None:
        cursor.execute("SAVEPOINT before_check")
        upsert(cursor, MODEL_VERSIONS, ["version_name"], check_row(drift_report_id))
        make_production(cursor, CHECK_VERSION, Cause("gate", "check", "check", "check"))
        cursor.execute("ROLLBACK TO SAVEPOINT before_check")

    _write(database, work, drift_report_id)


def _write(database: DatabaseSettings, work: Callable[[Cursor], T], drift_report_id: int | None) -> T:
    try:
        return transact(database, work)
    except errors.ForeignKeyViolation as error:
        raise BadInputError(f"there is no drift report with the id {drift_report_id}") from error


def check_row(drift_report_id: int | None) -> dict[str, Any]:
    """A row with all columns of `version_row` and valid values."""
    texts = ["model_type", "framework", "hf_model_bin_url", "hf_model_onnx_url", "mlflow_run_id"]
    texts += ["mlflow_experiment_id", "hf_commit", "dataset_id", "run_id"]
    numbers = ("accuracy", "f1_score", *(f"mae_{emotion}" for emotion in EMOTIONS), "learning_rate")
    counts = ("n_samples_train", "n_samples_val", "n_samples_test", "n_epochs", "batch_size")
    return {
        "version_name": CHECK_VERSION,
        **dict.fromkeys(texts, "check"),
        **dict.fromkeys(numbers, 0.0),
        **dict.fromkeys(counts, 0),
        "triggered_by_drift_report_id": drift_report_id,
        "lineage": Json({}),
    }


def update(
    store: ObjectStore,
    context: RunContext,
    database: DatabaseSettings,
    hub_settings: HubSettings,
    tracking_uri: R2Uri,
    retraining_key: str = "",
) -> ModelVersionResult:
    """Write the version's row. If it is promoted and still on main, it becomes production in the same transaction.

    That transaction also adds the row in `promotions`, with the gate's reasons.

    Args:
        store: The bucket.
        context: This process.
        database: The database.
        hub_settings: The Hub.
        tracking_uri: The record of `log-to-mlflow`.
        retraining_key: Key by which later runs find this retraining (`repetitions`); empty to hide it from them.

    Raises:
        BadInputError: the drift report that the row names does not exist.
    """
    tracking = read_record(store, tracking_uri, Tracking)
    publication = read_record(store, R2Uri.parse(tracking.publication_uri), Publication)
    evaluation = read_record(store, R2Uri.parse(publication.evaluation_uri), Evaluation)
    cause = Cause.of(context, "gate", "; ".join(evaluation.decision.reasons))
    row = version_row(store, context, publication, tracking, retraining_key)
    with workspace() as scratch:
        production = publication.promoted and ModelHub(hub_settings, scratch).main_holds(publication.version)

    def work(cursor: Cursor) -> tuple[int, str | None]:
        version_id = upsert(cursor, MODEL_VERSIONS, ["version_name"], row)
        return version_id, make_production(cursor, publication.version, cause) if production else None

    version_id, previous = _write(database, work, publication.drift_report_id)
    logger.info("%s: row %d%s", publication.version, version_id, ", in production" if production else "")
    return ModelVersionResult(
        model_version_id=version_id,
        version=publication.version,
        is_production=production,
        previous_production=previous,
    )


def version_row(
    store: ObjectStore, context: RunContext, publication: Publication, tracking: Tracking, retraining_key: str = ""
) -> dict[str, Any]:
    """The row's columns and values, except its id, timestamps and production state."""
    training = read_record(store, R2Uri.parse(publication.training_uri), Training)
    evaluation = read_record(store, R2Uri.parse(publication.evaluation_uri), Evaluation)
    export = read_record(store, R2Uri.parse(publication.export_uri), Export)
    metrics, settings = evaluation.challenger, training.settings
    return {
        "version_name": publication.version,
        "model_type": settings.backbone,
        "framework": FRAMEWORK,
        "hf_model_bin_url": publication.bin_url,
        "hf_model_onnx_url": publication.onnx_url,
        "accuracy": metrics.accuracy,
        "f1_score": metrics.macro_f1,
        **{f"mae_{emotion}": values.mae for emotion, values in metrics.emotions.items()},
        "n_samples_train": training.samples["train"],
        "n_samples_val": training.samples["validation"],
        "n_samples_test": training.samples["test"],
        "n_epochs": len(training.history),
        "learning_rate": settings.learning_rate,
        "batch_size": settings.batch_size,
        "mlflow_run_id": tracking.mlflow_run_id,
        "mlflow_experiment_id": tracking.experiment_id,
        "triggered_by_drift_report_id": publication.drift_report_id,
        "hf_commit": publication.commit,
        "dataset_id": training.dataset_id,
        "run_id": context.run_id,
        "lineage": Json(
            lineage(context, publication, tracking, training, evaluation, export) | {"retraining_key": retraining_key}
        ),
    }


def lineage(
    context: RunContext,
    publication: Publication,
    tracking: Tracking,
    training: Training,
    evaluation: Evaluation,
    export: Export,
) -> dict[str, Any]:
    """The lineage of a version: everything that it was made from, and every place that it was published to."""
    return {
        "drift_report_id": publication.drift_report_id,
        "dag_id": context.dag_id,
        "run_id": context.run_id,
        "image": context.image,
        "git_commit": context.git_commit,
        "dataset": {"id": training.dataset_id, "manifest": training.manifest_uri, "splits": training.splits_uri},
        "reference": evaluation.training_sample_uri,
        "training": {
            "started_from": training.started_from,
            "settings": training.settings.model_dump(mode="json"),
            "weights": training.weights_uri,
            "weights_sha256": training.weights_sha256,
            "best_epoch": training.best_epoch,
            "device": training.device,
        },
        "evaluation": {
            "mae": evaluation.challenger.mae,
            "champion_mae": evaluation.champion.mae if evaluation.champion else None,
            "champion_version": evaluation.champion_version,
            "champion_revision": evaluation.champion_revision,
            "decision": evaluation.decision.model_dump(mode="json"),
        },
        "onnx": {
            "sha256": export.onnx_sha256,
            "bytes": export.bytes,
            "parity_max_difference": export.parity_max_difference,
            "latency_ms_median": export.latency_ms_median,
        },
        "hub": publication.model_dump(mode="json", include={"repository", "branch", "tag", "commit"}),
        "mlflow": tracking.model_dump(
            mode="json", include={"experiment_id", "mlflow_run_id", "model_name", "model_version"}
        ),
    }
