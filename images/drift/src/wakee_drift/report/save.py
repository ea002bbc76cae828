"""One row of `drift_reports` per report date."""

from typing import Any

from psycopg2.extras import Json
from wakee_common.database import transact, upsert
from wakee_common.errors import BadInputError
from wakee_common.settings import DatabaseSettings, RunContext
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.tables import DRIFT_REPORTS

from wakee_drift.records import JSON_NAME, PNG_NAME, DriftMetrics, read_metrics
from wakee_drift.results import SavedReportResult


def save(
    store: ObjectStore, database: DatabaseSettings, context: RunContext, metrics: R2Uri, report: R2Uri
) -> SavedReportResult:
    """Insert or replace the row of the report's date, in one transaction.

    Raises:
        BadInputError: there are no such metrics, or no such report.
    """
    measured = read_metrics(store.get_bytes(metrics), metrics)
    if not store.exists(report):
        raise BadInputError(f"no such report: {report}")
    row = report_row(measured, context, metrics, report)
    report_id = transact(database, lambda cursor: upsert(cursor, DRIFT_REPORTS, ["report_date"], row))
    return SavedReportResult(
        drift_report_id=report_id,
        report_date=measured.provenance.report_date,
        drift_detected=measured.drift_detected,
        drift_score=measured.drift_score,
        threshold=measured.threshold,
    )


def report_row(metrics: DriftMetrics, context: RunContext, metrics_uri: R2Uri, report: R2Uri) -> dict[str, Any]:
    """The row's columns and values, but for its id and the times of writing."""
    origin = metrics.provenance
    per_emotion = {
        f"{kind}_{emotion}": getattr(errors, kind)
        for emotion, errors in metrics.emotions.items()
        for kind in ("mae", "mse", "rmse", "bias")
    }
    return per_emotion | {
        "report_date": origin.report_date,
        "drift_detected": metrics.drift_detected,
        "drift_score": metrics.drift_score,
        "drift_score_low": metrics.drift_score_low,
        "drift_score_high": metrics.drift_score_high,
        "drift_threshold": metrics.threshold,
        "num_samples": metrics.num_samples,
        "num_excluded": sum(origin.excluded.values()),
        "window_start": origin.window_start,
        "window_end": origin.window_end,
        "report_uri": str(report),
        "report_json": Json(report_document(metrics, context, metrics_uri, report)),
        "dag_id": context.dag_id,
        "run_id": context.run_id,
        "image": context.image,
        "git_commit": context.git_commit,
    }


def report_document(metrics: DriftMetrics, context: RunContext, metrics_uri: R2Uri, report: R2Uri) -> dict[str, Any]:
    """What `report_json` holds: the metrics, where the report's files are, and which run and code made them."""
    folder = R2Uri(report.bucket, report.key.rpartition("/")[0])
    files = {"metrics": metrics_uri, "html": report, "json": folder / JSON_NAME, "png": folder / PNG_NAME}
    return metrics.model_dump(mode="json") | {
        "report": {name: str(uri) for name, uri in files.items()},
        "lineage": context.model_dump(exclude={"task_id", "try_number"}),
    }
