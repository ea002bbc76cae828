"""The reference data of drift detection: a bounded sample of the data that a version was trained on."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from wakee_common.training_sample import HELD_OUT, MOST_ROWS, FeatureFiles, SampledRow, TrainingSample

from wakee_train.data.records import Manifest, Sample, Splits
from wakee_train.data.shards import even_positions

TRAINING_SAMPLE = "training_sample.json"
DIGITS = 6
"""Decimal places of predictions. Drift detection compares in steps of 1e-6."""

Predictions = Mapping[str, NDArray[np.float32]]
"""Predictions by picture name, shape (4,) each."""


def training_sample(
    version: str,
    manifest: Manifest,
    splits: Splits,
    predictions: Predictions,
    features: FeatureFiles | None = None,
    most: int = MOST_ROWS,
) -> TrainingSample:
    """Sample at most `most` pictures, spread evenly over the data set. The sample is deterministic.

    Args:
        version: Name of the model version.
        manifest: The data set.
        splits: Its splits. Pictures in no split are skipped.
        predictions: The version's predictions on held-out pictures, 0 to 3. Predictions on training pictures are
            ignored, because the version fits those too well to be a reference for new pictures.
        features: Files with the embeddings of held-out pictures, if there are any.
        most: Largest number of rows.
    """
    home = {name: split for split, names in splits.names.items() for name in names}
    members = [sample for sample in manifest.samples if sample.name in home]
    return TrainingSample(
        version=version,
        dataset_id=manifest.dataset_id,
        pictures=len(members),
        rows=tuple(_row(sample, home[sample.name], predictions) for sample in spread(members, most)),
        features=features,
    )


def spread(samples: Sequence[Sample], most: int) -> list[Sample]:
    """Return at most `most` samples at even distances, including the first and the last."""
    return [samples[place] for place in even_positions(len(samples), most)]


def _row(sample: Sample, split: str, predictions: Predictions) -> SampledRow:
    levels = predictions.get(sample.name) if split in HELD_OUT else None
    return SampledRow.model_validate(
        {
            "person": sample.facts.person,
            "split": split,
            "labels": sample.labels,
            "predictions": None if levels is None else [round(float(level), DIGITS) for level in levels],
            "picture": sample.picture,
        }
    )
