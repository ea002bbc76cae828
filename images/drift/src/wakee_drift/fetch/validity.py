"""Which rows can be used, and why the others cannot."""

import numpy as np
from numpy.typing import NDArray
from wakee_contract.emotions import HIGHEST_LEVEL, LOWEST_LEVEL

OVERSHOOT = 0.5
"""How far outside the scale a prediction may lie.

A regressor overshoots a little; leaving those rows out would hide its worst errors. Up to here a prediction still
rounds to one of the levels 0..3. Beyond, it is no output of the model but a broken row.
"""


def usable_labels(values: NDArray[np.float64], missing: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Judge rows of labels by the scale 0..3.

    Args:
        values: Labels, shape (rows, 4).
        missing: Where the database has NULL, shape (rows, 4).

    Returns:
        Which rows are usable, shape (rows,), and how many are not, per reason; a row counts once, under the first.
    """
    return _judge(values, missing, "label", margin=0)


def usable_predictions(
    values: NDArray[np.float64], missing: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Judge rows of predictions by the scale 0..3 widened by `OVERSHOOT`; otherwise as `usable_labels`."""
    return _judge(values, missing, "prediction", margin=OVERSHOOT)


def _judge(
    values: NDArray[np.float64], missing: NDArray[np.bool_], what: str, margin: float
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    finite = np.isfinite(values)
    outside = (values < LOWEST_LEVEL - margin) | (values > HIGHEST_LEVEL + margin)
    usable = np.ones(len(values), dtype=bool)
    counts = {}
    for reason, cells in (("missing", missing), ("not_finite", ~finite), ("out_of_range", outside)):
        rows = usable & cells.any(axis=1)
        counts[f"{what}_{reason}"] = int(rows.sum())
        usable &= ~rows
    return usable, counts


def add_counts(first: dict[str, int], second: dict[str, int]) -> dict[str, int]:
    """Sum two tables of counts."""
    return {key: first.get(key, 0) + second.get(key, 0) for key in first | second}
