"""Labels that say little about the pictures are counted."""

import numpy as np
import pytest
from wakee_train.data.label_quality import COMPARED_TOGETHER, described, label_quality
from wakee_train.data.near_duplicates import pairs
from wakee_train.data.records import Facts, Sample
from wakee_train.records import LabelQuality

from ..environment import Environment
from .test_near_duplicates import drawn

FIRST, NEAR, FAR = "00" * 32, "00" * 31 + "0f", "ff" * 32


def sample(number, labels=(1.0, 1.0, 1.0, 1.0), person=None, corrected=True, likeness=""):
    facts = Facts(number if person is None else person, None, "", corrected=corrected)
    return Sample(name=f"{number}.jpg", labels=labels, facts=facts, perceptual_hash=likeness)


def test_pictures_without_a_moved_slider_are_counted():
    samples = [sample(0, corrected=False), sample(1), sample(2, corrected=False)]

    assert label_quality(samples).untouched == 2


@pytest.mark.parametrize(
    ("pictures", "labels", "people", "constant"),
    [
        pytest.param(5, [(1, 2, 0, 3)] * 5, 1, 1, id="constant"),
        pytest.param(4, [(1, 2, 0, 3)] * 4, 0, 0, id="too-few-to-tell"),
        pytest.param(5, [(1, 2, 0, 3)] * 4 + [(1, 2, 0, 2.9)], 1, 0, id="once-another"),
    ],
)
def test_people_with_constant_answers_are_counted(pictures, labels, people, constant):
    found = label_quality([sample(at, labels[at], person=7) for at in range(pictures)])

    assert (found.people, found.constant_people) == (people, constant)


@pytest.mark.parametrize(
    ("second", "likeness", "near_duplicates", "contradictory"),
    [
        pytest.param((1, 1, 1, 2.1), NEAR, 1, 1, id="more-than-a-level"),
        pytest.param((1, 1, 1, 2), NEAR, 1, 0, id="one-level"),
        pytest.param((1, 1, 1, 3), FAR, 0, 0, id="another-picture"),
        pytest.param((1, 1, 1, 3), "", 0, 0, id="no-hash"),
    ],
)
def test_contradictions_are_counted(second, likeness, near_duplicates, contradictory):
    found = label_quality([sample(0, likeness=FIRST), sample(1, second, likeness=likeness)])

    assert (found.near_duplicates, found.contradictory) == (near_duplicates, contradictory)


def test_each_pair_counts_once():
    first, second = pairs([FIRST, NEAR, FAR, FIRST])

    assert sorted(zip(first.tolist(), second.tolist(), strict=True)) == [(0, 1), (0, 3), (1, 3)]


def test_pictures_far_apart_are_not_compared():
    hashes = np.random.default_rng(0).bytes(32 * (COMPARED_TOGETHER + 1)).hex()
    samples = [sample(at, likeness=hashes[64 * at : 64 * at + 64]) for at in range(COMPARED_TOGETHER + 1)]
    samples[0] = sample(-1, (3, 1, 1, 1), likeness=samples[-1].perceptual_hash)

    assert label_quality(samples).near_duplicates == 0


def test_an_empty_data_set_has_none():
    assert set(label_quality([]).model_dump().values()) == {0}


def test_the_counts_are_described():
    counted = LabelQuality(untouched=3, people=4, constant_people=1, near_duplicates=9, contradictory=2)

    assert described(counted) == (
        "3 pictures with no slider moved; 1 of 4 people with 5 pictures or more always give the same answer; "
        "2 of 9 pairs of near-duplicates contradict each other by more than one level"
    )
    assert described(None).startswith("not counted")


def add_drawn(environment: Environment, name: str, image, levels, user=None) -> None:
    import io

    file = io.BytesIO()
    image.save(file, "JPEG", quality=90)
    environment.add_picture(name, file.getvalue(), levels, user=user)


def test_fetch_and_split_report_them(environment):
    """Ten faces of nobody in particular, a person who moves no slider, and the same picture saved twice."""
    environment.add_faces(range(10))
    picture = drawn("ada", "1", 1)
    for number in range(5):
        add_drawn(environment, f"untouched-{number}.jpg", drawn("bob", str(number), 1), (1, 1, 1, 1), user="bob")
    add_drawn(environment, "first.jpg", picture, (0, 1, 1, 1), user="ada")
    add_drawn(environment, "again.jpg", picture.resize((300, 300)), (3, 1, 1, 1), user="ada")

    fetched, log = environment.run_stage("fetch-training-data", "run-1", 0, {"min_samples": 10})
    split, split_log = environment.run_stage("split-dataset", "run-1", 0, {"manifest": fetched["manifest_uri"]})

    counts = fetched["labels"]
    assert (counts["untouched"], counts["people"], counts["constant_people"]) == (5, 1, 1)
    assert counts["near_duplicates"] >= counts["contradictory"] == 1
    assert environment.read_json(fetched["manifest_uri"])["labels"] == counts == split["labels"]
    line = "5 pictures with no slider moved; 1 of 1 people with 5 pictures or more always give the same answer"
    assert line in log
    assert line in split_log
