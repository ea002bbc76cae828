"""Evidently's comparison of distributions, and when it is left out."""

import numpy as np
import pandas as pd
import pytest
from wakee_contract.emotions import EMOTIONS
from wakee_drift.measure.distribution import ROWS_FOR_PSI, compare_distributions
from wakee_drift.measure.evidently_runs import run_evidently
from wakee_drift.measure.frames import COLUMNS, PERSON, in_steps
from wakee_drift.measure.permutation import FEWEST_PEOPLE, FEWEST_REFERENCE_ROWS


def frame(rows, shift=0.0, seed=0):
    """Independent rows, each of a person of its own."""
    values = np.random.default_rng(seed).normal(1.5 + shift, 0.4, (rows, len(COLUMNS)))
    people = seed * 1_000_000 + np.arange(rows)
    return pd.DataFrame(np.clip(values, 0, 3), columns=list(COLUMNS)).assign(**{PERSON: people})


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


@pytest.mark.parametrize("rows", [10, 100, 600])
def test_a_constant_window_is_compared(rows):
    constant = frame(rows).assign(**dict.fromkeys(COLUMNS, 2.9))

    found = compare_distributions(constant, frame(600, seed=1))

    assert found.status == "compared"
    assert all(column.drifted for column in found.columns.values())


@pytest.mark.parametrize("people", [1, FEWEST_PEOPLE - 1])
@pytest.mark.parametrize("side", ["look-back", "reference"])
def test_few_people_are_not_compared(people, side):
    frames = {"look-back": frame(100), "reference": frame(100, seed=1)}
    frames[side][PERSON] = np.arange(100) % people

    found = compare_distributions(frames["look-back"], frames["reference"])

    assert (found.status, found.columns) == ("skipped", {})
    assert f"the {side} window: rows of {people} people, fewer than {FEWEST_PEOPLE}" in found.reason


ROUNDINGS = {
    "a sum": [0.1 + 0.2, 0.3],
    "the next number": [1.5, np.nextafter(1.5, 2)],
    "float32": [float(np.float32(0.7)), 0.7],
    "near nought": [0.0, 5e-324],
    "many": [2.0 + step * 4.4e-16 for step in range(5)],
}


@pytest.mark.parametrize("rows", [100, 600])
@pytest.mark.parametrize("values", ROUNDINGS.values(), ids=ROUNDINGS)
def test_a_column_that_is_constant_but_for_rounding(values, rows):
    rounded = np.resize(values, rows)

    as_reference = compare_distributions(frame(rows), frame(rows, seed=1).assign(user_boredom=rounded))
    as_current = compare_distributions(frame(rows).assign(user_boredom=rounded), frame(rows, seed=1))

    assert "constant" in as_reference.skipped_columns["user_boredom"]
    assert set(as_current.columns) == set(COLUMNS)


def test_reports_pages_of_errors_that_are_constant_but_for_rounding(tmp_path):
    """Evidently draws the errors, which it takes itself: prediction minus label."""
    from evidently.presets import DataDriftPreset, RegressionPreset  # after our module, which quiets its warnings

    labels = np.resize([0.1, 0.7, 1.3, 2.2], 600)
    values = {name: labels + (0.3 if name.startswith("predicted") else 0.0) for name in COLUMNS}
    current = in_steps(pd.DataFrame(values))
    reference = in_steps(frame(600, seed=1))

    presets = [DataDriftPreset(num_method="psi"), *(RegressionPreset(regression_name=emotion) for emotion in EMOTIONS)]
    snapshot = run_evidently(presets, current, reference)
    snapshot.save_html(str(tmp_path / "page.html"))

    assert (tmp_path / "page.html").stat().st_size > 0
