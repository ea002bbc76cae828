"""Bootstrap interval of the drift score, in constant memory.

Errors of one person are correlated, so people are resampled, not rows (the cluster bootstrap: Davison and Hinkley,
Bootstrap Methods and their Application, 1997, section 3.8). Only the sum and the count of each person are kept. Beyond
`MOST_PEOPLE`, people are assigned to `GROUPS` groups by a hash, and the groups are resampled instead.

With few people a percentile interval is too narrow, so its percentiles are moved outwards (the expanded percentile
interval: Hesterberg, What Teachers Should Know About the Bootstrap, The American Statistician 69, 2015).
"""

import numpy as np
from numpy.typing import NDArray
from wakee_contract.emotions import HIGHEST_LEVEL, LOWEST_LEVEL

MOST_PEOPLE = 20_000
GROUPS = 2000
REPLICATES = 2000
REPLICATES_AT_A_TIME = 100
SEED = 20_250_204
LEVEL = 0.95


class PeoplesScores:
    """Sum and number of the rows' scores per person.

    Attributes:
        people: Number of people, counted up to `MOST_PEOPLE`.
    """

    def __init__(self) -> None:
        self.people = 0
        self._keys: NDArray[np.int64] = np.zeros(0, np.int64)
        self._sums: NDArray[np.float64] = np.zeros(0)
        self._counts: NDArray[np.float64] = np.zeros(0)
        self._folded = False

    def add(self, scores: NDArray[np.float64], people: NDArray[np.int64]) -> None:
        """Add rows: scores and person numbers, each of shape (rows,)."""
        self._merge(_folded(people) if self._folded else people, scores, np.ones(len(scores)))
        if not self._folded:
            self.people = len(self._keys)
            if self.people > MOST_PEOPLE:
                keys, sums, counts = _folded(self._keys), self._sums, self._counts
                self._keys, self._sums, self._counts = np.zeros(0, np.int64), np.zeros(0), np.zeros(0)
                self._merge(keys, sums, counts)
                self._folded = True

    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the mean score. It is deterministic, and the whole range 0 to 3 for one person.

        Raises:
            ZeroDivisionError: no rows were added.
        """
        groups = len(self._keys)
        if not groups:
            raise ZeroDivisionError("no rows to resample")
        if groups == 1:
            return 0.0, float(HIGHEST_LEVEL - LOWEST_LEVEL)
        generator = np.random.default_rng(SEED)
        means = [self._replicates(generator) for _ in range(REPLICATES // REPLICATES_AT_A_TIME)]
        tail = expanded_tail(groups)
        low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
        return float(low), float(high)

    def _merge(self, keys: NDArray[np.int64], sums: NDArray[np.float64], counts: NDArray[np.float64]) -> None:
        """Add sums and counts, sorted by key so that batch sizes and the order of rows have no effect."""
        self._keys, place = np.unique(np.concatenate([self._keys, keys]), return_inverse=True)
        self._sums = _totals(place, np.concatenate([self._sums, sums]), len(self._keys))
        self._counts = _totals(place, np.concatenate([self._counts, counts]), len(self._keys))

    def _replicates(self, generator: np.random.Generator) -> NDArray[np.float64]:
        groups = len(self._sums)
        chosen = generator.integers(groups, size=(REPLICATES_AT_A_TIME, groups))
        means: NDArray[np.float64] = self._sums[chosen].sum(axis=1) / self._counts[chosen].sum(axis=1)
        return means


def expanded_tail(groups: int) -> float:
    """Return the probability to cut off at each end, for at least two groups; 0.025 for infinitely many."""
    from scipy.special import ndtr, stdtrit

    spread = np.sqrt(groups / (groups - 1)) * stdtrit(groups - 1, (1 + LEVEL) / 2)
    return float(ndtr(-spread))


def _totals(place: NDArray[np.int64], values: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    return np.bincount(place, values, size).astype(np.float64)


def _folded(people: NDArray[np.int64]) -> NDArray[np.int64]:
    return (_mix(people) % np.uint64(GROUPS)).astype(np.int64)


def _mix(keys: NDArray[np.int64]) -> NDArray[np.uint64]:
    """Hash keys with SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    value = keys.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
