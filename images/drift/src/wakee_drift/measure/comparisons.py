"""Comparisons of a run with its two references: the training data of the version in production, and the days before."""

import logging
from pathlib import Path

import pandas as pd
from pydantic import ValidationError
from wakee_common.storage import MissingObjectError, ObjectStore
from wakee_common.uris import R2Uri

from wakee_drift.measure.distribution import compare_distributions
from wakee_drift.measure.frames import sample_frame, training_frame
from wakee_drift.records import DistributionDrift, ProductionSample, Provenance

logger = logging.getLogger(__name__)

TRAINING_DATA = "the training data of the version in production"
NOT_HANDED_ON = ProductionSample(reason="load-predictions passed no sample of it")


def compare_both(
    pairs: Path, reference: Path | None, production: ProductionSample | None, provenance: Provenance
) -> tuple[DistributionDrift, DistributionDrift]:
    """Compare the look-back window with the training data, and with the days before it.

    A lasting change is detected against the training data as long as it lasts, but against a rolling window only until
    the window has changed as well.
    """
    current = sample_frame(pairs)
    rolling = sample_frame(reference) if reference else current.iloc[:0]
    return (
        compare_with_training(current, production or NOT_HANDED_ON),
        compare_distributions(current, rolling, days_before(provenance)),
    )


def compare_with_training(current: pd.DataFrame, production: ProductionSample) -> DistributionDrift:
    """Compare with the training data of the version in production, if a sample of it is available."""
    against = f"the training data of {production.version}" if production.version else TRAINING_DATA
    if production.sample is None:
        return DistributionDrift(status="skipped", reason=production.reason, against=against, rows=len(current))
    return compare_distributions(current, training_frame(production.sample), against)


def days_before(provenance: Provenance) -> str:
    """Return a readable name of the reference window."""
    days = (provenance.window_start - provenance.reference_start).days
    return f"the {days} days before" if days != 1 else "the day before"


def fetch_production_sample(store: ObjectStore, uri: R2Uri | None) -> ProductionSample:
    """Read the sample that `load-predictions` wrote. If that fails, log a warning and return the reason."""
    if uri is None:
        return NOT_HANDED_ON
    try:
        return ProductionSample.model_validate_json(store.get_bytes(uri))
    except MissingObjectError as error:
        problem = str(error)
    except ValidationError as error:
        problem = f"{uri} is not a result of load-predictions: {error.errors()[0]['msg']}"
    logger.warning("Cannot compare with the training data: %s", problem)
    return ProductionSample(reason=problem)
