"""Paired bootstrap over people: how much better one model is than another, and how certain that is.

The errors on one person's pictures are correlated, so people are resampled with all their pictures (Davison and
Hinkley, Bootstrap Methods and their Application, 1997, section 3.8). Both models are evaluated on every draw, so the
difficulty of a picture, which is common to both, cancels out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from wakee_contract.emotions import EMOTIONS, LEVELS

from wakee_train.evaluation.metrics import rounded, served

REPLICATES = 2000
SEED = 20_250_204

Floats = NDArray[np.floating]
Rows = NDArray[np.bool_]
Cell = tuple[Rows, int]
"""A mask of rows, shape (N,), and the index of an emotion."""


@dataclass(frozen=True)
class Comparison:
    """The challenger's MAE minus the champion's, on the scale 0 to 3: negative where the challenger is better.

    Attributes:
        samples: Number of pictures.
        people: Number of people.
        champion: The champion's MAE.
        challenger: The challenger's MAE.
        replicates: The difference in each draw of people, shape (REPLICATES,).
    """

    samples: int
    people: int
    champion: float
    challenger: float
    replicates: Floats

    @property
    def difference(self) -> float:
        """The difference on all pictures."""
        return self.challenger - self.champion

    def probability(self, above: float) -> float:
        """The probability that the difference is above a number."""
        return float((self.replicates > above).mean())

    def interval(self, confidence: float) -> tuple[float, float]:
        """The percentile interval of the difference at this confidence."""
        low, high = np.quantile(self.replicates, [(1 - confidence) / 2, (1 + confidence) / 2])
        return float(low), float(high)


class Contest:
    """The errors of two models on the same pictures.

    Args:
        challenger: Predictions of the challenger, shape (N, 4).
        champion: Predictions of the champion, shape (N, 4).
        labels: True levels, shape (N, 4), 0 to 3.
        people: The person of each picture, shape (N,).
    """

    def __init__(self, challenger: Floats, champion: Floats, labels: Floats, people: NDArray[np.int64]) -> None:
        self.labels = np.asarray(labels, np.float64)
        self.rows = np.ones(len(self.labels), bool)
        self._errors = [np.abs(served(np.asarray(each, np.float64)) - self.labels) for each in (challenger, champion)]
        self._people, self._group = np.unique(people, return_inverse=True)
        count = len(self._people)
        self._weights = np.random.default_rng(SEED).multinomial(count, np.full(count, 1 / count), REPLICATES)

    def overall(self, rows: Rows | None = None) -> Comparison:
        """Compare the mean over the emotions, on all rows or some."""
        chosen = self.rows if rows is None else rows
        return self._compare([(chosen, emotion) for emotion in range(len(EMOTIONS))])

    def emotion(self, index: int) -> Comparison:
        """Compare one emotion on all rows."""
        return self._compare([(self.rows, index)])

    def balanced(self) -> Comparison:
        """Compare the mean over emotions and levels, so that rare levels count as much as frequent ones."""
        levels = rounded(self.labels)
        cells = [(levels[:, e] == level, e) for e in range(len(EMOTIONS)) for level in range(LEVELS)]
        return self._compare([cell for cell in cells if cell[0].any()])

    def size(self, rows: Rows) -> tuple[int, int]:
        """Number of pictures and number of people in these rows."""
        return int(rows.sum()), len(np.unique(self._group[rows]))

    def _compare(self, cells: Sequence[Cell]) -> Comparison:
        challenger, champion = (self._sums(errors, cells) for errors in self._errors)
        counts = self._sums(None, cells)
        samples, people = self.size(np.any([rows for rows, _ in cells], axis=0))
        whole = counts.sum(axis=0)
        return Comparison(
            samples=samples,
            people=people,
            champion=float((champion.sum(axis=0) / whole).mean()),
            challenger=float((challenger.sum(axis=0) / whole).mean()),
            replicates=self._replicates(challenger - champion, counts),
        )

    def _sums(self, errors: Floats | None, cells: Sequence[Cell]) -> Floats:
        """Sums of errors, or counts of rows, per person and cell, shape (people, cells)."""
        columns = [
            np.bincount(
                self._group[rows], None if errors is None else errors[rows, emotion], minlength=len(self._people)
            )
            for rows, emotion in cells
        ]
        return np.column_stack(columns).astype(np.float64)

    def _replicates(self, differences: Floats, counts: Floats) -> Floats:
        """Means over the cells in which a draw has rows. Draws without any rows are dropped."""
        drawn = self._weights @ counts
        means = np.divide(self._weights @ differences, drawn, out=np.full(drawn.shape, np.nan), where=drawn > 0)
        some = (drawn > 0).any(axis=1)
        replicates: Floats = np.nanmean(means[some], axis=1)
        return replicates
