"""How people answer: sliders that nobody moved, and people whose answers are always the same.

Neither is an error of the model, but both make its error look smaller or larger than it is: an untouched slider
repeats the prediction, and a person who always gives the same answer says nothing about the picture.
"""

import numpy as np
from numpy.typing import NDArray
from wakee_contract.emotions import EMOTIONS, ENOUGH_ANSWERS, HALF_A_STEP

from wakee_drift.records import Answers

MOST_PEOPLE = 20_000
"""With more people only those seen first are judged, so that the memory is bounded."""


class AnswerCounts:
    """Counts over rows, from which `Answers` follow; memory bounded by `MOST_PEOPLE`."""

    def __init__(self) -> None:
        self._rows = 0
        self._untouched = np.zeros(len(EMOTIONS), np.int64)
        self._people: NDArray[np.int64] = np.zeros(0, np.int64)
        self._counts: NDArray[np.int64] = np.zeros(0, np.int64)
        self._lowest: NDArray[np.float64] = np.zeros((0, len(EMOTIONS)))
        self._highest: NDArray[np.float64] = np.zeros((0, len(EMOTIONS)))

    def add(self, predicted: NDArray[np.float64], labels: NDArray[np.float64], people: NDArray[np.int64]) -> None:
        """Add rows: predictions and labels, shape (rows, 4) each, and whose they are, shape (rows,)."""
        self._rows += len(labels)
        self._untouched += (np.abs(predicted - labels) < HALF_A_STEP).sum(axis=0)
        known = np.union1d(self._people, people)
        if len(known) > MOST_PEOPLE:
            known = self._people
        rows = np.isin(people, known)
        self._grow(known)
        places = np.searchsorted(known, people[rows])
        np.add.at(self._counts, places, 1)
        np.minimum.at(self._lowest, places, labels[rows])
        np.maximum.at(self._highest, places, labels[rows])

    def answers(self) -> Answers:
        """What the rows show."""
        judged = self._counts >= ENOUGH_ANSWERS
        constant = judged & (self._highest - self._lowest < HALF_A_STEP).all(axis=1)
        shares = (self._untouched / max(self._rows, 1)).tolist()
        return Answers(
            untouched=dict(zip(EMOTIONS, shares, strict=True)),
            people=int(judged.sum()),
            constant_people=int(constant.sum()),
            constant_rows=int(self._counts[constant].sum()),
        )

    def _grow(self, known: NDArray[np.int64]) -> None:
        """Make room for new people, sorted by their numbers."""
        if len(known) == len(self._people):
            return
        places = np.searchsorted(known, self._people)
        counts, shape = np.zeros(len(known), np.int64), (len(known), len(EMOTIONS))
        lowest, highest = np.full(shape, np.inf), np.full(shape, -np.inf)
        counts[places], lowest[places], highest[places] = self._counts, self._lowest, self._highest
        self._people, self._counts, self._lowest, self._highest = known, counts, lowest, highest
