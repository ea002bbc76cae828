"""Metrics of predictions: pure functions over arrays of shape (N, 4), or (N,) for one emotion."""

import numpy as np
from numpy.typing import NDArray
from wakee_common.errors import BadInputError
from wakee_contract.emotions import EMOTIONS, HIGHEST_LEVEL, LEVELS, LOWEST_LEVEL

from wakee_train.records import CalibrationBin, EmotionMetrics, ModelMetrics

Floats = NDArray[np.floating]
Levels = NDArray[np.int64]


def served(levels: Floats) -> Floats:
    """Clip a model's outputs to the scale, as the API does."""
    return np.clip(levels, LOWEST_LEVEL, HIGHEST_LEVEL)


def measure(predicted: Floats, labels: Floats) -> ModelMetrics:
    """Compute all metrics of a model on a split.

    Args:
        predicted: Raw predictions, shape (N, 4). They are clipped as in production.
        labels: True levels, shape (N, 4), 0 to 3.

    Raises:
        BadInputError: there are no rows, or a prediction is not a number.
    """
    predicted, labels = np.asarray(predicted, np.float64), np.asarray(labels, np.float64)
    if not len(labels) or not np.isfinite(predicted).all():
        raise BadInputError("Cannot compute metrics: there are no rows, or predictions are not numbers")
    predicted = served(predicted)
    emotions = {
        emotion: measure_emotion(predicted[:, index], labels[:, index]) for index, emotion in enumerate(EMOTIONS)
    }

    def mean(name: str) -> float:
        return float(np.mean([getattr(metrics, name) for metrics in emotions.values()]))

    return ModelMetrics(
        samples=len(labels),
        mae=mean("mae"),
        mse=mean("mse"),
        accuracy=mean("accuracy"),
        macro_f1=mean("macro_f1"),
        emotions=emotions,
    )


def measure_emotion(predicted: Floats, labels: Floats) -> EmotionMetrics:
    """Compute the metrics of one emotion. The bias is prediction minus label."""
    difference = predicted - labels
    confusion = confusion_matrix(rounded(labels), rounded(predicted))
    bins = calibration(predicted, labels)
    return EmotionMetrics(
        mae=float(np.abs(difference).mean()),
        mse=float((difference**2).mean()),
        bias=float(difference.mean()),
        accuracy=float(np.trace(confusion) / confusion.sum()),
        macro_f1=macro_f1(confusion),
        confusion=confusion.tolist(),
        calibration=bins,
        calibration_error=calibration_error(bins),
    )


def rounded(levels: Floats) -> Levels:
    """Round to the nearest level 0 to 3, halves up."""
    whole: Levels = np.floor(served(levels) + 0.5).astype(np.int64)
    return whole


def confusion_matrix(labels: Levels, predicted: Levels) -> NDArray[np.int64]:
    """Count pictures per true level (rows) and predicted level (columns), shape (4, 4)."""
    counts: NDArray[np.int64] = np.bincount(labels * LEVELS + predicted, minlength=LEVELS**2).reshape(LEVELS, LEVELS)
    return counts


def macro_f1(confusion: NDArray[np.int64]) -> float:
    """The mean F1 of the levels that occur as label or prediction (scikit-learn's definition)."""
    hits = np.diag(confusion).astype(float)
    occurrences = confusion.sum(axis=0) + confusion.sum(axis=1)
    present = occurrences > 0
    return float((2 * hits[present] / occurrences[present]).mean())


def calibration(predicted: Floats, labels: Floats) -> list[CalibrationBin]:
    """The mean prediction and the mean label per predicted level."""
    bins, found = [], rounded(predicted)
    for level in range(LEVELS):
        chosen = found == level
        some = bool(chosen.any())
        bins.append(
            CalibrationBin(
                level=level,
                samples=int(chosen.sum()),
                mean_prediction=float(predicted[chosen].mean()) if some else None,
                mean_label=float(labels[chosen].mean()) if some else None,
            )
        )
    return bins


def calibration_error(bins: list[CalibrationBin]) -> float:
    """The mean distance of prediction and label over the bins, weighted by their samples."""
    total = sum(each.samples for each in bins)
    gaps = (
        each.samples * abs(each.mean_prediction - each.mean_label)
        for each in bins
        if each.mean_prediction is not None and each.mean_label is not None
    )
    return float(sum(gaps) / total)
