"""One row of `drift_reports` per report date, with the decision on a retraining."""

import logging
from datetime import UTC, datetime
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class, despite its lowercase name
from psycopg2.extras import Json
from wakee_common.database import transact, upsert
from wakee_common.errors import BadInputError
from wakee_common.settings import DatabaseSettings, RunContext
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.tables import DRIFT_REPORTS

from wakee_drift.records import JSON_NAME, PNG_NAME, DriftMetrics, read_metrics
from wakee_drift.results import SavedReportResult
from wakee_drift.trigger.conditions import Decision, Rules, decide
from wakee_drift.trigger.history import history

logger = logging.getLogger(__name__)


def save(
    store: ObjectStore,
    database: DatabaseSettings,
    context: RunContext,
    metrics: R2Uri,
    report: R2Uri,
    choices: dict[str, Any],
) -> SavedReportResult:
    """Insert or replace the row of the report's date, and decide on a retraining, in one transaction.

    Args:
        store: The bucket.
        database: Database of the row.
        context: Run context of this process.
        metrics: The metrics.json of `calculate-drift`.
        report: The page of `generate-report`.
        choices: Fields of `Rules` that the metrics do not contain.

    Raises:
        BadInputError: the metrics or the report do not exist.
    """
    measured = read_metrics(store.get_bytes(metrics), metrics)
    if not store.exists(report):
        raise BadInputError(f"no such report: {report}")
    origin = measured.provenance
    rules = Rules(threshold=measured.threshold, min_samples=origin.min_samples, **choices)

    def work(cursor: Cursor) -> tuple[int, Decision]:
        version = origin.production.version
        before = history(cursor, context.run_id, origin.report_date, version, rules.days_in_a_row)
        decision = decide(version, measured.production, before, rules, _now())
        row = report_row(measured, decision, context, metrics, report)
        return upsert(cursor, DRIFT_REPORTS, ["report_date"], row), decision

    report_id, decision = transact(database, work)
    logger.info("%s: %s", "retrain" if decision.retrain else "no retraining", "; ".join(decision.reasons))
    return SavedReportResult(
        drift_report_id=report_id,
        report_date=origin.report_date,
        drift_detected=measured.drift_detected,
        drift_score=measured.drift_score,
        threshold=measured.threshold,
        retrain=decision.retrain,
        reasons=decision.reasons,
    )


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


def report_row(
    metrics: DriftMetrics, decision: Decision, context: RunContext, metrics_uri: R2Uri, report: R2Uri
) -> dict[str, Any]:
    """Return the row's columns and values, without its id and the times of writing."""
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
        "report_json": Json(
            report_document(metrics, context, metrics_uri, report)
            | {"retraining": decision.model_dump(mode="json") | {"retrain": decision.retrain}}
        ),
        "dag_id": context.dag_id,
        "run_id": context.run_id,
        "image": context.image,
        "git_commit": context.git_commit,
    }


def report_document(metrics: DriftMetrics, context: RunContext, metrics_uri: R2Uri, report: R2Uri) -> dict[str, Any]:
    """Return the content of `report_json`: the metrics, the addresses of the report's files, and their run and code."""
    folder = R2Uri(report.bucket, report.key.rpartition("/")[0])
    files = {"metrics": metrics_uri, "html": report, "json": folder / JSON_NAME, "png": folder / PNG_NAME}
    return metrics.model_dump(mode="json") | {
        "report": {name: str(uri) for name, uri in files.items()},
        "lineage": context.model_dump(exclude={"task_id", "try_number"}),
    }
