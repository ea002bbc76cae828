"""`calculate-drift`: compute metrics.json from the pairs."""

import logging
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wakee_common.errors import one_line
from wakee_common.files import workspace
from wakee_common.storage import MissingObjectError, ObjectStore
from wakee_common.telemetry import measured
from wakee_common.uris import R2Uri

from wakee_drift.measure.comparisons import fetch_production_sample
from wakee_drift.measure.distribution import described
from wakee_drift.measure.metrics import measure
from wakee_drift.measure.picture_comparison import described as pictures_described
from wakee_drift.measure.picture_drift import compare_pictures
from wakee_drift.records import DriftMetrics
from wakee_drift.results import DriftResult
from wakee_drift.tables import read_provenance, row_count

logger = logging.getLogger(__name__)

LONGEST_LINE = 1_000
PRESENT = timedelta(days=2)
"""Maximum age of a report's day for its metrics to be pushed as current ones, which alerts evaluate."""


def calculate(
    store: ObjectStore,
    folder: R2Uri,
    pairs: R2Uri,
    reference: R2Uri | None,
    threshold: float,
    training_sample: R2Uri | None = None,
    pictures: R2Uri | None = None,
) -> DriftResult:
    """Measure the pairs and write metrics.json, unless there are too few of them."""
    with workspace() as work:
        path = store.get_file(pairs, work / "pairs.parquet")
        provenance = read_provenance(path)
        count = row_count(path)
        if count < max(1, provenance.min_samples):
            return DriftResult(
                status="insufficient_data",
                report_date=provenance.report_date,
                threshold=threshold,
                num_samples=count,
            )
        reference_path = fetch_reference(store, reference, work / "reference_pairs.parquet")
        production = fetch_production_sample(store, training_sample)
        metrics = measure(path, reference_path, threshold, (str(pairs), str(reference or "")), production)
        picture_drift = compare_pictures(store, pictures, production, work)
        metrics = metrics.model_copy(update={"pictures": picture_drift})
    uri = folder / "metrics.json"
    store.put_bytes(uri, metrics.model_dump_json(indent=2).encode(), "application/json")
    for drift in metrics.distributions:
        logger.info("distributions %s", described(drift))
    logger.info("pictures %s", pictures_described(picture_drift))
    _tell(metrics)
    return _result(metrics, uri, one_line(pictures_described(picture_drift), LONGEST_LINE))


def _tell(metrics: DriftMetrics) -> None:
    day = metrics.provenance.report_date
    if day < datetime.now(UTC).date() - PRESENT:
        logger.info("%s is in the past: its score is not pushed as the current one", day)
        return
    measured("wakee_drift_score", "Mean of the four absolute errors, in levels of 0 to 3.", metrics.drift_score)
    measured("wakee_drift_threshold", "Drift is detected above this score.", metrics.threshold)
    measured("wakee_drift_score_timestamp_seconds", "Time at which the score was measured.", time.time())
    for emotion, errors in metrics.emotions.items():
        measured("wakee_drift_mae", "Mean absolute error, in levels of 0 to 3.", errors.mae, emotion=emotion)


def fetch_reference(store: ObjectStore, uri: R2Uri | None, path: Path) -> Path | None:
    """Download the pairs of the reference; return None if there are none."""
    if uri is None:
        return None
    try:
        return store.get_file(uri, path)
    except MissingObjectError as error:
        logger.warning("distributions are not compared with the reference window: %s", error)
        return None


def _result(metrics: DriftMetrics, uri: R2Uri, pictures: str) -> DriftResult:
    return DriftResult(
        report_date=metrics.provenance.report_date,
        threshold=metrics.threshold,
        num_samples=metrics.num_samples,
        num_people=metrics.num_people,
        metrics_uri=str(uri),
        drift_score=metrics.drift_score,
        drift_score_low=metrics.drift_score_low,
        drift_score_high=metrics.drift_score_high,
        drift_detected=metrics.drift_detected,
        production=metrics.production,
        mae={emotion: errors.mae for emotion, errors in metrics.emotions.items()},
        pictures=pictures,
    )
