"""An interval for the drift score, in constant memory.

The rows are put into at most `GROUPS` groups of which only sum and count are kept, and the groups are resampled (the
percentile bootstrap: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). Up to `GROUPS` rows,
each is a group of its own: the ordinary bootstrap. With more, rows fall into groups by a hash of their position, so
that the groups' means vary as those of random samples do, whatever the order of the rows.
"""

import numpy as np
from numpy.typing import NDArray

GROUPS = 2000
REPLICATES = 2000
REPLICATES_AT_A_TIME = 100
SEED = 20_250_204
LEVEL = 0.95


class GroupedScores:
    """Sum and count of the rows' scores per group.

    Args:
        total_rows: How many rows will be added; decides how they are grouped.
    """

    def __init__(self, total_rows: int) -> None:
        self._total = total_rows
        self._seen = 0
        groups = min(GROUPS, total_rows)
        self.sums = np.zeros(groups)
        self.counts = np.zeros(groups)

    def add(self, scores: NDArray[np.float64]) -> None:
        """Add the next rows' scores, shape (rows,)."""
        positions = np.arange(self._seen, self._seen + len(scores))
        groups = positions if self._total <= GROUPS else _mix(positions) % np.uint64(GROUPS)
        self.sums += np.bincount(groups.astype(np.int64), scores, len(self.sums))
        self.counts += np.bincount(groups.astype(np.int64), minlength=len(self.sums))
        self._seen += len(scores)

    def interval(self) -> tuple[float, float]:
        """The 95 % percentile interval of the mean score, the same every time.

        Raises:
            ZeroDivisionError: no rows were added.
        """
        if not self._seen:
            raise ZeroDivisionError("no rows to resample")
        generator = np.random.default_rng(SEED)
        means = [self._replicates(generator) for _ in range(REPLICATES // REPLICATES_AT_A_TIME)]
        tail = (1 - LEVEL) / 2
        low, high = np.quantile(np.concatenate(means), [tail, 1 - tail])
        return float(low), float(high)

    def _replicates(self, generator: np.random.Generator) -> NDArray[np.float64]:
        groups = len(self.sums)
        chosen = generator.integers(groups, size=(REPLICATES_AT_A_TIME, groups))
        means: NDArray[np.float64] = self.sums[chosen].sum(axis=1) / self.counts[chosen].sum(axis=1)
        return means


def _mix(positions: NDArray[np.int64]) -> NDArray[np.uint64]:
    """SplitMix64 (Steele, Lea and Flood, OOPSLA 2014): neighbours get unrelated values."""
    value = positions.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))
