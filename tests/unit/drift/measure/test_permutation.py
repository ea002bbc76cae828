"""Distances between distributions with people swapped, and Holm's correction."""

import numpy as np
import pytest
from scipy.stats import ks_2samp
from wakee_drift.measure.permutation import SWAPS, Values, holm, people_p_value

PEOPLE, COLUMNS = 23, 8


def sides(run, rows, same_people, shift=0.0):
    """Eight columns of two samples; half of the variance is that of people."""
    generator = np.random.default_rng((run, rows))
    habits = generator.normal(0, 0.8 * 0.5**0.5, (2 * PEOPLE, COLUMNS))
    for first, moved in ((0, shift), (0 if same_people else PEOPLE, 0.0)):
        people = generator.integers(first, first + PEOPLE, rows)
        values = 1.3 + moved + habits[people] + generator.normal(0, 0.8 * 0.5**0.5, (rows, COLUMNS))
        yield np.clip(values, 0, 3), people


def any_drifted(run, rows, same_people, shift=0.0):
    """Whether the plain test calls any column drifted, and whether ours does."""
    (now, people), (before, others) = sides(run, rows, same_people, shift)
    plain = [ks_2samp(now[:, c], before[:, c]).pvalue for c in range(COLUMNS)]
    ours = [people_p_value(Values(now[:, c], people), Values(before[:, c], others)) for c in range(COLUMNS)]
    return min(plain) <= 0.05, holm(np.array(ours)).min() <= 0.05


@pytest.mark.parametrize("same_people", [True, False], ids=["same-people", "other-people"])
def test_false_alarms_of_any_column_are_rare_where_rows_of_one_person_are_alike(same_people):
    plain, ours = np.mean([any_drifted(run, 200, same_people) for run in range(60)], axis=0)

    assert plain > 0.2
    assert ours <= 0.08


@pytest.mark.parametrize("same_people", [True, False], ids=["same-people", "other-people"])
def test_a_shift_of_half_a_level_is_found(same_people):
    found = [any_drifted(run, 300, same_people, shift=0.5)[1] for run in range(10)]

    assert np.mean(found) >= 0.8


def test_independent_rows_get_the_p_value_of_kolmogorov_and_smirnov():
    generator = np.random.default_rng(0)
    for shift in (0.0, 0.1, 0.2):
        now, before = generator.normal(shift, 1, 400), generator.normal(0, 1, 300)
        ours = people_p_value(Values(now, np.arange(400)), Values(before, 1000 + np.arange(300)))

        assert ours == pytest.approx(ks_2samp(now, before).pvalue, abs=0.05)


@pytest.mark.parametrize("people", [12, 5_000])
def test_bounds_and_repeatability(people):
    generator = np.random.default_rng(1)
    whose = generator.integers(0, people, 5_000)
    same, other = Values(np.resize([0.0, 1.5, 3.0], 5_000), whose), Values(np.full(5_000, 2.9), whose)

    assert people_p_value(same, same) == 1
    assert 1 / (SWAPS + 1) <= people_p_value(same, other) < 0.05 / COLUMNS
    assert people_p_value(same, other) == people_p_value(same, other)


def test_the_order_of_rows_does_not_matter():
    (now, people), (before, others) = sides(3, 200, same_people=True)
    order = np.random.default_rng(2).permutation(200)
    reference = Values(before[:, 0], others)

    assert people_p_value(Values(now[order, 0], people[order]), reference) == people_p_value(
        Values(now[:, 0], people), reference
    )


def test_holm_adjusts_as_in_his_paper():
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm(np.array([0.6, 0.7])).tolist() == [1, 1]
    assert holm(np.array([])).tolist() == []
