"""Properties and embeddings of pictures, compared by people."""

import numpy as np
import pytest
from wakee_common.picture_statistics import measure_picture
from wakee_drift.measure.permutation import Values, Vectors, embedding_p_value, people_p_value
from wakee_drift.measure.picture_comparison import compare_embeddings, decide, why_not
from wakee_drift.records import PictureColumn

PEOPLE, ROWS, FEATURES = 20, 120, 16


def embedded(seed: int, *, first: int = 0, shift: float = 0.0, spread: float = 1.0) -> Vectors:
    """Embeddings with a correlation of 0.5 within a person."""
    generator = np.random.default_rng(seed)
    people = generator.integers(first, first + PEOPLE, ROWS)
    habits = np.random.default_rng(3).normal(0, 0.5**0.5, (3 * PEOPLE, FEATURES))
    values = habits[people] + generator.normal(0, 0.5**0.5, (ROWS, FEATURES))
    return Vectors(values * spread + shift, people)


@pytest.mark.parametrize("first", [0, PEOPLE], ids=["same-people", "other-people"])
def test_false_alarms_of_embeddings_are_rare_where_rows_of_one_person_are_alike(first):
    p_values = [embedding_p_value(embedded(2 * run, first=first), embedded(2 * run + 1)) for run in range(30)]

    assert sum(p_value <= 0.05 for p_value in p_values) <= 4  # 1.5 are expected, more than 4 in 2 % of the cases
    assert min(p_values) >= 1 / 2000
    assert max(p_values) <= 1


@pytest.mark.parametrize(
    "changed", [embedded(1, first=PEOPLE, shift=0.6), embedded(1, first=PEOPLE, spread=1.8)], ids=["moved", "wider"]
)
def test_changed_embeddings_are_found(changed):
    assert embedding_p_value(changed, embedded(0)) <= 0.01


def test_equal_embeddings_differ_in_nothing():
    same = Vectors(np.ones((40, 3)), np.arange(40))

    assert embedding_p_value(same, same) == 1


def test_other_rows_of_the_same_values_differ_in_nothing():
    values = Values(np.full(40, 640.0), np.arange(40))

    assert people_p_value(values, Values(np.full(50, 640.0), 100 + np.arange(50))) == 1


def test_files_that_differ_are_not_compared():
    found, reason = compare_embeddings(embedded(0), Vectors(np.ones((ROWS, 3)), np.arange(ROWS)))

    assert (found, reason) == ({}, "the files differ: 16 and 3 features")


@pytest.mark.parametrize(
    ("now", "before", "reason"),
    [
        pytest.param(range(10), range(29), "29 training pictures with these values, fewer than 30", id="few-pictures"),
        pytest.param(range(9), range(30), "the look-back window: pictures of 9 people, fewer than 10", id="few-people"),
        pytest.param(range(10), [1] * 30, "the training data: pictures of 1 people, fewer than 10", id="one-person"),
        pytest.param(range(10), range(30), "", id="enough"),
    ],
)
def test_enough_pictures_of_enough_people_are_needed(now, before, reason):
    assert why_not(np.array(now), np.array(before)) == reason


def test_the_correction_is_by_holm():
    decided = decide({name: PictureColumn(p_value=p, drifted=False) for name, p in (("a", 0.02), ("b", 0.03))})

    assert {name: (column.p_value, column.drifted) for name, column in decided.items()} == {
        "a": (0.04, True),
        "b": (0.04, True),
    }
    assert decide({}) == {}


def test_properties_of_a_picture():
    """The left half is black, the right half white: only the two columns at the edge have a Laplacian, of 1 each."""
    pixels = np.zeros((256, 256, 3), np.uint8)
    pixels[:, 128:] = 255

    found = measure_picture(pixels, 640, 480)

    assert found == pytest.approx((0.5, 0.5, (2 / 254) ** 0.5, 640, 480), abs=1e-6)


def test_colours_weigh_as_in_luma():
    pixels = np.zeros((256, 256, 3), np.uint8)
    pixels[..., 1] = 255

    assert measure_picture(pixels, 1, 1) == pytest.approx((0.587, 0, 0, 1, 1), abs=1e-5)
