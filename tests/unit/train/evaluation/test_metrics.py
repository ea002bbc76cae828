"""Metrics against their definitions."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from wakee_common.errors import BadInputError
from wakee_train.evaluation.metrics import confusion_matrix, macro_f1, measure, rounded

LEVELS = st.floats(0, 3, width=32)
OUTPUTS = st.floats(-2, 5, width=32)


@st.composite
def predictions_and_labels(draw):
    rows = draw(st.integers(1, 40))
    return (
        draw(arrays.arrays(np.float64, (rows, 4), elements=OUTPUTS)),
        draw(arrays.arrays(np.float64, (rows, 4), elements=LEVELS)),
    )


@given(predictions_and_labels())
def test_errors_are_those_of_the_definitions(pair):
    predicted, labels = pair

    found = measure(predicted, labels)

    difference = np.clip(predicted, 0, 3) - labels
    emotions = found.emotions.values()
    assert [e.mae for e in emotions] == pytest.approx(np.abs(difference).mean(axis=0).tolist())
    assert [e.mse for e in emotions] == pytest.approx((difference**2).mean(axis=0).tolist())
    assert [e.bias for e in emotions] == pytest.approx(difference.mean(axis=0).tolist())
    assert found.mae == pytest.approx(np.abs(difference).mean())


def test_outputs_off_the_scale_are_judged_as_the_api_serves_them():
    """A model that says 3.4 where 3 is true is right in production; one that says 2.8 is not."""
    labels = np.full((5, 4), 3.0)

    bold, timid = measure(np.full((5, 4), 3.4), labels), measure(np.full((5, 4), 2.8), labels)

    assert bold.mae == 0
    assert timid.mae == pytest.approx(0.2)


@given(predictions_and_labels())
def test_shares_lie_between_nought_and_one_and_counts_add_up(pair):
    found = measure(*pair)

    for emotion in found.emotions.values():
        assert 0 <= emotion.accuracy <= 1
        assert 0 <= emotion.macro_f1 <= 1
        assert np.sum(emotion.confusion) == found.samples == sum(b.samples for b in emotion.calibration)
        assert emotion.accuracy == pytest.approx(np.trace(emotion.confusion) / found.samples)
        assert 0 <= emotion.calibration_error <= emotion.mae + 1e-9


@given(arrays.arrays(np.float64, (20, 4), elements=LEVELS))
def test_the_truth_is_perfect(labels):
    found = measure(labels, labels)

    assert (found.mae, found.mse, found.accuracy, found.macro_f1) == (0, 0, 1, 1)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60))
def test_macro_f1_is_the_mean_over_occurring_levels(pairs):
    labels, predicted = np.array(pairs).T

    scores = []
    for level in set(labels) | set(predicted):
        hits = np.sum((labels == level) & (predicted == level))
        precision = hits / max(np.sum(predicted == level), 1)
        recall = hits / max(np.sum(labels == level), 1)
        scores.append(2 * precision * recall / (precision + recall) if hits else 0.0)
    assert macro_f1(confusion_matrix(labels, predicted)) == pytest.approx(np.mean(scores))


def test_rows_of_the_confusion_matrix_are_labels():
    assert confusion_matrix(np.array([3, 3, 0]), np.array([1, 1, 0])).tolist() == [
        [1, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 0, 0, 0],
        [0, 2, 0, 0],
    ]


def test_levels_are_rounded_half_upwards_and_clipped():
    assert rounded(np.array([-4, 0.49, 0.5, 1.5, 2.5, 7])).tolist() == [0, 0, 1, 2, 3, 3]


@pytest.mark.parametrize("predicted", [np.empty((0, 4)), np.full((1, 4), np.nan)], ids=["nothing", "no-numbers"])
def test_what_cannot_be_measured_is_refused(predicted):
    with pytest.raises(BadInputError, match="Cannot compute metrics"):
        measure(predicted, np.ones_like(predicted))
