"""Errors of predictions, in one pass and constant memory."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from wakee_common.emotions import EMOTIONS

from wakee_drift.records import EmotionErrors


@dataclass(frozen=True)
class ErrorSums:
    """Sums over rows from which the metrics follow; those of two parts add up to those of the whole.

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
        """The sums over no rows."""
        zero = np.zeros(len(EMOTIONS))
        return cls(0, zero, zero, zero)

    @classmethod
    def of(cls, errors: NDArray[np.float64]) -> Self:
        """The sums over rows of prediction minus label, shape (rows, 4)."""
        # One emotion per contiguous row: NumPy then sums in pairs, which rounds far less than row after row.
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


def emotion_errors(sums: ErrorSums) -> dict[str, EmotionErrors]:
    """MAE, MSE, RMSE and bias per emotion.

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
    """Mean of the four MAE, as the existing system defines it; 0 to 3."""
    return float(np.mean(mae))
