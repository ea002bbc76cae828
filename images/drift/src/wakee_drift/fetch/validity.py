"""Select usable rows, and count the others per reason."""

import numpy as np
from numpy.typing import NDArray
from wakee_contract.emotions import HIGHEST_LEVEL, LOWEST_LEVEL

OVERSHOOT = 0.5
"""How far outside the scale a prediction may lie.

A regression model overshoots a little, and leaving those rows out would hide its worst errors. Within this margin a
prediction still rounds to one of the levels 0..3. Outside, it is not an output of the model but a damaged row.
"""


def usable_labels(values: NDArray[np.float64], missing: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Check rows of labels against the scale 0..3.

    Args:
        values: Labels, shape (rows, 4).
        missing: Where the database has NULL, shape (rows, 4).

    Returns:
        Which rows are usable, shape (rows,), and how many are not, per reason. A row counts only under its first
            reason.
    """
    return _judge(values, missing, "label", margin=0)


def usable_predictions(
    values: NDArray[np.float64], missing: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], dict[str, int]]:
    """Check rows of predictions against the scale 0..3 widened by `OVERSHOOT`; otherwise like `usable_labels`."""
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
    """Add two sets of counts."""
    return {key: first.get(key, 0) + second.get(key, 0) for key in first | second}
