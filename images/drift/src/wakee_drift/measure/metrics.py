"""Metrics of one run: exact errors in one pass and constant memory, an interval, and distributions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from wakee_contract.emotions import EMOTIONS
from wakee_contract.tables import LABELS, PREDICTED

from wakee_drift.measure.answers import AnswerCounts
from wakee_drift.measure.bootstrap import PeoplesScores
from wakee_drift.measure.comparisons import compare_both
from wakee_drift.records import DriftMetrics, EmotionErrors, ProductionSample, ProductionScore
from wakee_drift.tables import PAIRS_SCHEMA, batches, flags, integers, matrix, read_provenance


@dataclass(frozen=True)
class ErrorSums:
    """Sums over rows from which the metrics are computed. The sums of two sets of rows can be added.

    Attributes:
        rows: Number of rows.
        absolute: Sum of |prediction - label| per emotion, shape (4,).
        squared: Sum of (prediction - label)^2 per emotion, shape (4,).
        signed: Sum of prediction - label per emotion, shape (4,).
    """

    rows: int
    absolute: NDArray[np.float64]
    squared: NDArray[np.float64]
    signed: NDArray[np.float64]

    @classmethod
    def none(cls) -> Self:
        """Return the sums over no rows."""
        zero = np.zeros(len(EMOTIONS))
        return cls(0, zero, zero, zero)

    @classmethod
    def of(cls, errors: NDArray[np.float64]) -> Self:
        """Return the sums over rows of prediction minus label, shape (rows, 4)."""
        # One emotion per contiguous row: NumPy then uses pairwise summation, which has much smaller rounding errors.
        by_emotion = np.ascontiguousarray(errors.T)
        absolute, squared = np.abs(by_emotion), np.square(by_emotion)
        return cls(len(errors), absolute.sum(axis=1), squared.sum(axis=1), by_emotion.sum(axis=1))

    def __add__(self, other: Self) -> Self:
        return type(self)(
            self.rows + other.rows,
            self.absolute + other.absolute,
            self.squared + other.squared,
            self.signed + other.signed,
        )


class Scored:
    """Results of one pass over rows: sums of errors, and scores per person."""

    def __init__(self) -> None:
        self.sums = ErrorSums.none()
        self.people = PeoplesScores()

    def add(self, errors: NDArray[np.float64], people: NDArray[np.int64]) -> None:
        """Add rows: prediction minus label, shape (rows, 4), and person numbers, shape (rows,)."""
        self.sums += ErrorSums.of(errors)
        self.people.add(np.abs(errors).mean(axis=1), people)

    @property
    def score(self) -> float:
        """The drift score.

        Raises:
            ZeroDivisionError: there are no rows.
        """
        return drift_score([errors.mae for errors in emotion_errors(self.sums).values()])

    def interval(self) -> tuple[float, float]:
        """Return the score's 95 % interval, by people.

        It always includes the score, which rounding could put outside if all rows have the same error.

        Raises:
            ZeroDivisionError: there are no rows.
        """
        low, high = self.people.interval()
        return min(low, self.score), max(high, self.score)


def measure(
    pairs: Path,
    reference: Path | None,
    threshold: float,
    uris: tuple[str, str] = ("", ""),
    production: ProductionSample | None = None,
) -> DriftMetrics:
    """Measure exact errors and the score of all pairs, an interval, and the distributions of a sample.

    Args:
        pairs: Pairs of the look-back window, at least one.
        reference: Pairs of the reference window, if there are any.
        threshold: Drift is detected when the score is above it.
        uris: Addresses of both files in R2.
        production: Training data of the version in production, if available.
    """
    every, of_production, answers = one_pass(pairs)
    low, high = every.interval()
    provenance = read_provenance(pairs)
    distribution, rolling = compare_both(pairs, reference, production, provenance)
    return DriftMetrics(
        provenance=provenance,
        num_samples=every.sums.rows,
        num_people=every.people.people,
        threshold=threshold,
        drift_score=every.score,
        drift_score_low=low,
        drift_score_high=high,
        drift_detected=every.score > threshold,
        production=production_score(of_production),
        answers=answers.answers(),
        emotions=emotion_errors(every.sums),
        distribution=distribution,
        distribution_rolling=rolling,
        pairs_uri=uris[0],
        reference_pairs_uri=uris[1],
    )


def production_score(scored: Scored) -> ProductionScore:
    """Return score and interval of the rows that the version in production predicted, if there are any."""
    if not scored.sums.rows:
        return ProductionScore()
    low, high = scored.interval()
    return ProductionScore(
        num_samples=scored.sums.rows, num_people=scored.people.people, score=scored.score, low=low, high=high
    )


def one_pass(pairs: Path) -> tuple[Scored, Scored, AnswerCounts]:
    """Read the pairs once. The memory does not depend on the number of rows.

    Returns:
        The scores of all rows, those of the rows that the version in production predicted, and how people answered.
    """
    every, of_production, answers = Scored(), Scored(), AnswerCounts()
    for batch in batches(pairs, PAIRS_SCHEMA):
        predicted, labels, people = matrix(batch, PREDICTED), matrix(batch, LABELS), integers(batch, "person")
        errors = predicted - labels
        every.add(errors, people)
        answers.add(predicted, labels, people)
        ours = flags(batch, "by_production")
        of_production.add(errors[ours], people[ours])
    return every, of_production, answers


def emotion_errors(sums: ErrorSums) -> dict[str, EmotionErrors]:
    """Compute MAE, MSE, RMSE and bias per emotion.

    Raises:
        ZeroDivisionError: there are no rows.
    """
    if not sums.rows:
        raise ZeroDivisionError("no rows to measure")
    mae, mse, bias = (total / sums.rows for total in (sums.absolute, sums.squared, sums.signed))
    return {
        emotion: EmotionErrors(mae=mae[i], mse=mse[i], rmse=float(np.sqrt(mse[i])), bias=bias[i])
        for i, emotion in enumerate(EMOTIONS)
    }


def drift_score(mae: Sequence[float]) -> float:
    """Return the mean of the four MAE (0 to 3), as the existing system defines it."""
    return float(np.mean(mae))
