"""Untouched sliders and people who always answer the same: counted as a plain loop would."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakee_contract.emotions import EMOTIONS, ENOUGH_ANSWERS, HALF_A_STEP
from wakee_drift.measure import answers
from wakee_drift.measure.answers import AnswerCounts

rows = st.lists(st.tuples(st.integers(-3, 3), st.sampled_from([0.0, 0.1, 1.0]), st.booleans()), min_size=1, max_size=60)


def arrays(drawn):
    """People, labels and predictions; where `moved` is false, the slider was left at the prediction."""
    people = np.array([person for person, _, _ in drawn], np.int64)
    labels = np.array([[level] * 4 for _, level, _ in drawn])
    predicted = labels + np.array([[0.2 if moved else 0.01] for _, _, moved in drawn])
    return predicted, labels, people


@given(rows, st.integers(0, 60))
def test_counts_are_those_of_a_plain_loop(drawn, cut):
    predicted, labels, people = arrays(drawn)
    counts = AnswerCounts()
    for part in (slice(None, cut), slice(cut, None)):
        counts.add(predicted[part], labels[part], people[part])
    found = counts.answers()

    by_person = defaultdict(list)
    for person, level, _ in drawn:
        by_person[person].append(level)
    judged = {person: levels for person, levels in by_person.items() if len(levels) >= ENOUGH_ANSWERS}
    constant = [levels for levels in judged.values() if max(levels) - min(levels) < HALF_A_STEP]
    assert (found.people, found.constant_people) == (len(judged), len(constant))
    assert found.constant_rows == sum(map(len, constant))
    untouched = sum(not moved for _, _, moved in drawn) / len(drawn)
    assert found.untouched == pytest.approx(dict.fromkeys(EMOTIONS, untouched))


def test_more_people_than_fit_are_not_judged(monkeypatch):
    monkeypatch.setattr(answers, "MOST_PEOPLE", 2)
    counts = AnswerCounts()
    for people in ([1, 2], [3, 1], [4, 5]):
        counts.add(np.zeros((2 * 5, 4)), np.zeros((2 * 5, 4)), np.repeat(np.array(people, np.int64), 5))

    assert counts.answers().people == 2
    assert counts.answers().constant_rows == 15


def test_without_rows_nothing_is_untouched():
    assert AnswerCounts().answers().untouched == dict.fromkeys(EMOTIONS, 0.0)
