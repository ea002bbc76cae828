"""Permutation test by people: whether two samples differ when the rows of one person are correlated.

The statistic is the Kolmogorov-Smirnov distance: the largest distance between the two distribution functions. Its usual
p-value assumes independent rows, but 300 rows of 23 people contain little more information than 23 rows. Here people
are swapped: each person's contribution to the difference of the two functions gets a random sign. The distances under
all swaps estimate the distribution of the statistic under the null hypothesis. This is the wild cluster bootstrap with
the null hypothesis imposed and Rademacher weights (Cameron, Gelbach and Miller, Bootstrap-Based Improvements for
Inference with Clustered Errors, The Review of Economics and Statistics 90, 2008), applied to distribution functions.

A person in both samples is swapped as a whole. A plain exchange of their rows would not work: sizes differ from window
to window, so people who cancel out in the observed difference would not cancel out in the exchanged one. Their
contribution is their part of the one function minus their part of the other, each relative to the common function, and
only its sign changes. A person in only one sample contributes only to that sample. Rows of one person may depend on
each other in any way, e.g. by session or by time. People are assumed to be independent of each other.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

SWAPS = 1999
"""Number of swaps. The smallest p-value, 1 / 2000, is below 0.05 / 8, as Holm's correction requires."""
GROUPS = 2000
"""More people are combined into this many groups, which are swapped instead, so that the time is bounded."""
GRID = 200
"""The functions are compared at this many quantiles of the combined samples, or at every value if there are fewer."""
SEED = 20_250_204
ROUNDING = 1e-12


class Values(NamedTuple):
    """One column of a sample.

    Attributes:
        values: Finite, shape (rows,).
        people: The person number of each value, shape (rows,).
    """

    values: NDArray[np.float64]
    people: NDArray[np.int64]


def people_p_value(current: Values, reference: Values) -> float:
    """Return the p-value of the Kolmogorov-Smirnov distance between two samples, with people swapped. Deterministic.

    Args:
        current: At least one row.
        reference: At least one row.

    Returns:
        At least 1 / (SWAPS + 1), at most 1.
    """
    parts, common = people_parts(current, reference)
    observed = np.abs(parts.sum(axis=0)).max() - ROUNDING
    swaps = np.random.default_rng(SEED).integers(0, 2, (SWAPS, len(parts)), np.int8) * 2.0 - 1.0
    # Relative to the common function, so that a person with many rows is not an outlier for that reason alone.
    distances = np.abs(swaps @ (parts - parts[:, -1:] * common)).max(axis=1)
    return (1 + int((distances >= observed).sum())) / (1 + SWAPS)


def people_parts(current: Values, reference: Values) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return each person's contribution to the difference of two distribution functions, and the function of all rows.

    Returns:
        Arrays of shape (people, points) and (points,). The last point is the largest value. The sum over the people is
        the function of `current` minus that of `reference`.
    """
    values = np.concatenate([current.values, reference.values])
    names, person = np.unique(np.concatenate([current.people, reference.people]), return_inverse=True)
    sizes = [len(current.values), len(reference.values)]
    weights = np.repeat([1 / sizes[0], -1 / sizes[1]], sizes)
    points = np.unique(np.quantile(values, np.linspace(0, 1, GRID + 1), method="inverted_cdf"))
    point, groups = np.searchsorted(points, values), min(len(names), GROUPS)
    cells = np.bincount(person % groups * len(points) + point, weights, groups * len(points))
    common = np.bincount(point, minlength=len(points)).cumsum() / len(values)
    return cells.reshape(groups, len(points)).cumsum(axis=1), common


def holm(p_values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Adjust p-values of several tests, so that a limit of 0.05 keeps the family-wise error rate at 0.05.

    Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6, 1979. The
    tests may depend on each other in any way.

    Args:
        p_values: Shape (tests,), 0 to 1.

    Returns:
        The adjusted p-values in the same order, at most 1.
    """
    order = np.argsort(p_values)
    stepwise = p_values[order] * np.arange(len(p_values), 0, -1)
    adjusted = np.empty(len(p_values))
    adjusted[order] = np.minimum(np.maximum.accumulate(stepwise), 1)
    return adjusted
