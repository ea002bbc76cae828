"""The drift metrics against plain NumPy, Evidently and the ordinary bootstrap."""

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from wakee_contract.emotions import EMOTIONS
from wakee_contract.tables import LABELS, PREDICTED
from wakee_drift.fetch.validity import usable_labels, usable_predictions
from wakee_drift.measure.bootstrap import (
    MOST_PEOPLE,
    REPLICATES,
    REPLICATES_AT_A_TIME,
    SEED,
    PeoplesScores,
    expanded_tail,
)
from wakee_drift.measure.metrics import ErrorSums, drift_score, emotion_errors

levels = st.floats(0, 3, width=64)
pairs = st.integers(1, 200).flatmap(lambda rows: arrays(np.float64, (2, rows, 4), elements=levels))


@given(pairs)
def test_errors_are_those_of_the_formulas(pairs):
    predicted, user = pairs
    found = emotion_errors(ErrorSums.of(predicted - user))

    for index, emotion in enumerate(EMOTIONS):
        difference = predicted[:, index] - user[:, index]
        assert found[emotion].mae == pytest.approx(np.mean(np.abs(difference)), abs=1e-12)
        assert found[emotion].mse == pytest.approx(np.mean(difference**2), abs=1e-12)
        assert found[emotion].rmse == pytest.approx(np.sqrt(np.mean(difference**2)), abs=1e-12)
        assert found[emotion].bias == pytest.approx(np.mean(difference), abs=1e-12)


@given(pairs)
def test_errors_keep_their_order(pairs):
    found = emotion_errors(ErrorSums.of(pairs[0] - pairs[1]))

    for errors in found.values():
        assert abs(errors.bias) <= errors.mae + 1e-12
        assert errors.mae <= errors.rmse + 1e-12
        assert 0 <= errors.rmse <= 3


@given(pairs, st.integers(0, 200))
def test_parts_add_up_to_the_whole(pairs, cut):
    errors = pairs[0] - pairs[1]
    whole = emotion_errors(ErrorSums.of(errors))
    parts = emotion_errors(ErrorSums.none() + ErrorSums.of(errors[:cut]) + ErrorSums.of(errors[cut:]))

    for emotion in EMOTIONS:
        assert parts[emotion].model_dump() == pytest.approx(whole[emotion].model_dump(), abs=1e-12)


def test_nothing_cannot_be_measured():
    with pytest.raises(ZeroDivisionError):
        emotion_errors(ErrorSums.none())
    with pytest.raises(ZeroDivisionError):
        PeoplesScores().interval()


def test_the_score_is_the_mean_of_the_four_mae():
    assert drift_score([0.1, 0.2, 0.3, 0.4]) == pytest.approx(0.25)


def test_mae_agrees_with_evidently():
    from evidently.metrics import MAE
    from wakee_drift.measure.evidently_runs import run_evidently

    generator = np.random.default_rng(5)
    predicted, user = generator.uniform(0, 3, (2, 500, 4))
    frame = pd.DataFrame(np.hstack([predicted, user]), columns=[*PREDICTED, *LABELS])

    answer = json.loads(run_evidently([MAE(regression_name=emotion) for emotion in EMOTIONS], frame, None).json())

    theirs = {metric["config"]["regression_name"]: metric["value"]["mean"] for metric in answer["metrics"]}
    ours = {emotion: errors.mae for emotion, errors in emotion_errors(ErrorSums.of(predicted - user)).items()}
    assert ours == pytest.approx(theirs, abs=1e-9)


def peoples(scores, people=None, batch=1000):
    people = np.arange(len(scores)) if people is None else people
    found = PeoplesScores()
    for start in range(0, len(scores), batch):
        found.add(scores[start : start + batch], people[start : start + batch])
    return found


@pytest.mark.parametrize("rows", [2, 37, 2000])
def test_a_row_per_person_is_the_expanded_ordinary_bootstrap(rows):
    scores = np.random.default_rng(1).gamma(2, 0.1, rows)
    generator = np.random.default_rng(SEED)
    means = [
        scores[generator.integers(rows, size=(REPLICATES_AT_A_TIME, rows))].mean(axis=1)
        for _ in range(REPLICATES // REPLICATES_AT_A_TIME)
    ]
    tail = expanded_tail(rows)

    assert peoples(scores, batch=7).interval() == pytest.approx(np.quantile(means, [tail, 1 - tail]), abs=1e-12)
    assert 0 <= tail < 0.025


@pytest.mark.parametrize("order", ["random", "sorted", "periodic"])
def test_with_more_people_than_are_counted_it_is_as_wide_as_theory_says(order):
    scores = np.random.default_rng(2).gamma(2, 0.1, 100_000)
    if order == "sorted":
        scores.sort()
    if order == "periodic":
        scores = np.sort(scores).reshape(2000, -1).T.ravel()

    found = peoples(scores)
    low, high = found.interval()

    assert low < scores.mean() < high
    assert high - low == pytest.approx(2 * 1.96 * scores.std() / np.sqrt(len(scores)), rel=0.1)
    assert MOST_PEOPLE < found.people <= MOST_PEOPLE + 1000


@pytest.mark.parametrize("batch", [1, 99, 5000])
def test_the_interval_depends_neither_on_batches_nor_on_order(batch):
    generator = np.random.default_rng(3)
    scores, people = generator.gamma(2, 0.1, 5000), generator.integers(-(2**63), 2**63 - 1, 40)[np.arange(5000) % 40]
    order = generator.permutation(5000)

    found = peoples(scores, people, batch).interval()
    assert found == pytest.approx(peoples(scores, people).interval(), abs=1e-12)
    assert found == pytest.approx(peoples(scores[order], people[order]).interval(), abs=1e-12)


def test_one_person_says_nothing_about_others():
    assert peoples(np.full(50, 0.3), np.zeros(50, np.int64)).interval() == (0.0, 3.0)


@pytest.mark.parametrize(
    ("people", "correlation", "unequal", "least"),
    [(23, 0.0, False, 0.92), (23, 0.5, False, 0.92), (23, 0.5, True, 0.88), (8, 0.5, False, 0.88)],
)
def test_the_interval_covers_what_it_says(people, correlation, unequal, least):
    """300 rows of people whose errors are alike; by rows the same interval covers 55 % (34 % with unequal use)."""
    generator, covered, runs = np.random.default_rng(11), 0, 400
    share = generator.pareto(1.5, people) + 0.2 if unequal else np.ones(people)
    for _ in range(runs):
        whose = generator.choice(people, 300, p=share / share.sum())
        personal = generator.normal(0, np.sqrt(correlation), people)
        own = generator.normal(0, np.sqrt(1 - correlation), 300)
        low, high = peoples(1 + 0.1 * (personal[whose] + own), whose).interval()
        covered += low <= 1 <= high
    assert covered / runs >= least


def judged(judge, *rows):
    values = np.array([[np.nan if value is None else value for value in row] for row in rows], dtype=np.float64)
    missing = np.array([[value is None for value in row] for row in rows])
    usable, counts = judge(values, missing)
    return usable.tolist(), {reason: count for reason, count in counts.items() if count}


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param([0, 1, 2, 3], None, id="good"),
        pytest.param([None, 1, 2, 3], "label_missing", id="null"),
        pytest.param([0, np.nan, 2, 3], "label_not_finite", id="nan"),
        pytest.param([0, 1, np.inf, 3], "label_not_finite", id="infinite"),
        pytest.param([0, 1, 2, -np.inf], "label_not_finite", id="minus-infinite"),
        pytest.param([-0.001, 1, 2, 3], "label_out_of_range", id="below"),
        pytest.param([0, 1, 2, 3.001], "label_out_of_range", id="above"),
        pytest.param([None, np.nan, 99, 3], "label_missing", id="everything-counts-once"),
    ],
)
def test_labels_are_judged(row, reason):
    usable, counts = judged(usable_labels, row, [1, 1, 1, 1])

    assert usable == [reason is None, True]
    assert counts == ({reason: 1} if reason else {})


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param([-0.5, 1, 2, 3.5], None, id="overshoot-is-used"),
        pytest.param([-0.51, 1, 2, 3], "prediction_out_of_range", id="below"),
        pytest.param([0, 1, 2, 3.51], "prediction_out_of_range", id="above"),
        pytest.param([0, 1, None, 3], "prediction_missing", id="null"),
        pytest.param([0, 1, np.nan, 3], "prediction_not_finite", id="nan"),
    ],
)
def test_predictions_are_judged(row, reason):
    usable, counts = judged(usable_predictions, row)

    assert usable == [reason is None]
    assert counts == ({reason: 1} if reason else {})
