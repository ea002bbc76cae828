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

FAMILY_ERROR = 0.05
"""Probability that any of several tests, corrected by `holm`, is significant if nothing has changed."""
FEWEST_REFERENCE_ROWS = 30
FEWEST_PEOPLE = 10
"""In each sample. With fewer people the permutation has too few outcomes for Holm's correction over eight tests."""
SWAPS = 1999
"""Number of swaps. The smallest p-value, 1 / 2000, is below 0.05 / 8, as Holm's correction requires."""
GROUPS = 2000
"""More people are combined into this many groups, which are swapped instead, so that the time is bounded."""
GRID = 200
"""The functions are compared at this many quantiles of the combined samples, or at every value if there are fewer."""
SEED = 20_250_204
ROUNDING = 1e-12


class Vectors(NamedTuple):
    """Several columns of a sample.

    Attributes:
        values: Finite, shape (rows, columns).
        people: The person number of each row, shape (rows,).
    """

    values: NDArray[np.float64]
    people: NDArray[np.int64]


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
    # Relative to the common function, so that a person with many rows is not an outlier for that reason alone.
    distances = np.abs(_swaps(len(parts)) @ (parts - parts[:, -1:] * common)).max(axis=1)
    return (1 + int((distances >= observed).sum())) / (1 + SWAPS)


def embedding_p_value(current: Vectors, reference: Vectors) -> float:
    """Return the p-value of the maximum mean discrepancy (MMD) of two samples, with people swapped. Deterministic.

    The discrepancy is the distance between the samples' means in the space of a Gaussian kernel, whose width is the
    median distance of two rows (Gretton et al., A Kernel Two-Sample Test, Journal of Machine Learning Research 13,
    2012). It is zero only for equal distributions. A person's contribution to the difference of the means is swapped as
    in `people_p_value`.

    Args:
        current: Embeddings, at least one row.
        reference: The same of the reference.

    Returns:
        At least 1 / (SWAPS + 1), at most 1.
    """
    kernel = _gaussian_kernel(np.concatenate([current.values, reference.values]))
    names, person = np.unique(np.concatenate([current.people, reference.people]), return_inverse=True)
    sizes = [len(current.values), len(reference.values)]
    groups, rows = min(len(names), GROUPS), np.arange(sum(sizes))
    parts = np.zeros((groups, len(rows)))
    parts[person % groups, rows] = np.repeat([1 / sizes[0], -1 / sizes[1]], sizes)
    parts -= parts.mean(axis=1, keepdims=True)  # relative to the common mean, as in `people_p_value`
    products, swaps = parts @ kernel @ parts.T, _swaps(groups)
    observed = products.sum() - ROUNDING
    distances = ((swaps @ products) * swaps).sum(axis=1)
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


def _swaps(groups: int) -> NDArray[np.float64]:
    """Return random signs, shape (SWAPS, groups)."""
    return np.random.default_rng(SEED).integers(0, 2, (SWAPS, groups), np.int8) * 2.0 - 1.0


def _gaussian_kernel(rows: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the kernel's value for each pair of rows, shape (rows, rows)."""
    squares = (rows**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * rows @ rows.T, 0)
    square = np.median(distances[np.triu_indices(len(rows), 1)]) if len(rows) > 1 else 0.0
    kernel: NDArray[np.float64] = np.exp(-distances / (2 * square)) if square > 0 else (distances <= ROUNDING) * 1.0
    return kernel


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
