"""Evidently's comparison of distributions, and when it is left out."""

import numpy as np
import pandas as pd
import pytest
from wakee_drift.measure.distribution import COLUMNS, FEWEST_REFERENCE_ROWS, ROWS_FOR_PSI, compare_distributions


def frame(rows, shift=0.0, seed=0):
    values = np.random.default_rng(seed).normal(1.5 + shift, 0.4, (rows, len(COLUMNS)))
    return pd.DataFrame(np.clip(values, 0, 3), columns=list(COLUMNS))


@pytest.mark.parametrize(
    ("rows", "method"),
    [(ROWS_FOR_PSI, "psi"), (ROWS_FOR_PSI - 1, "ks"), (10, "ks")],
    ids=["large", "just-small", "tiny"],
)
def test_the_method_follows_the_size_and_is_said(rows, method):
    found = compare_distributions(frame(rows), frame(ROWS_FOR_PSI, seed=1))

    assert (found.status, found.method) == ("compared", method)
    assert str(ROWS_FOR_PSI) in found.reason
    assert set(found.columns) == set(COLUMNS)


@pytest.mark.parametrize("rows", [100, 600])
def test_a_shift_is_seen_and_its_absence_too(rows):
    same = compare_distributions(frame(rows), frame(rows, seed=1))
    shifted = compare_distributions(frame(rows, shift=0.6), frame(rows, seed=1))

    assert not any(column.drifted for column in same.columns.values())
    assert all(column.drifted for column in shifted.columns.values())


@pytest.mark.parametrize("rows", [0, 1, FEWEST_REFERENCE_ROWS - 1])
def test_a_small_reference_is_not_compared(rows):
    found = compare_distributions(frame(50), frame(rows))

    assert found.status == "skipped"
    assert f"{rows} usable rows" in found.reason
    assert found.columns == {}


def test_a_constant_column_of_the_reference_is_left_out():
    reference = frame(100, seed=1).assign(user_boredom=2.0)

    found = compare_distributions(frame(100), reference)

    assert set(found.columns) == set(COLUMNS) - {"user_boredom"}
    assert "constant" in found.skipped_columns["user_boredom"]


def test_a_constant_reference_is_not_compared():
    found = compare_distributions(frame(100), frame(100) * 0 + 1)

    assert found.status == "skipped"
    assert "constant" in found.reason


@pytest.mark.parametrize("rows", [1, 100, 600])
def test_a_constant_window_is_compared(rows):
    found = compare_distributions(frame(rows) * 0 + 2.9, frame(600, seed=1))

    assert found.status == "compared"
    assert rows == 1 or all(column.drifted for column in found.columns.values())
