"""The gate's decisions, by simulated models: how often it promotes what, and which part speaks against it."""

import numpy as np
import pytest
from wakee_contract.emotions import EMOTIONS
from wakee_train.evaluation.gate import BALANCED, decide, decide_first
from wakee_train.evaluation.metrics import measure
from wakee_train.evaluation.paired import Contest
from wakee_train.records import GateLimits

LIMITS = GateLimits(confidence=0.8, min_improvement=0, max_regression=0.05, min_test_samples=30, min_test_people=5)
PEOPLE, PICTURES = 30, 300
RUNS = 200
MONTE_CARLO = 0.06
"""Two standard deviations of a share over so many runs."""


def simulated(seed, better=0.0, people=PEOPLE, pictures=PICTURES, noise=0.25, correlation=0.5):
    """Labels, both models' predictions and whose pictures they are; a person's differences are alike."""
    generator = np.random.default_rng(seed)
    whose = generator.integers(0, people, pictures)
    labels = generator.integers(0, 4, (pictures, 4)).astype(float)
    inwards = np.where(labels > 1.5, -1, 1)
    errors = generator.uniform(0.7, 1.1, (pictures, 4))
    personal = generator.normal(0, noise * np.sqrt(correlation), (people, 4))[whose]
    own = generator.normal(0, noise * np.sqrt(1 - correlation), (pictures, 4))
    return labels, labels + inwards * (errors - better + personal + own), labels + inwards * errors, whose


def contest(*arguments, **options):
    labels, challenger, champion, whose = simulated(*arguments, **options)
    return Contest(challenger, champion, labels, whose)


def promoted(**options):
    return np.mean([decide(contest(seed, **options), {}, LIMITS).promote for seed in range(RUNS)])


def test_equal_models_are_promoted_no_more_often_than_the_confidence_allows():
    assert promoted() <= 1 - LIMITS.confidence + MONTE_CARLO


def test_models_that_differ_by_rounding_alone_are_no_improvement():
    def rounding(seed):
        labels, _, champion, whose = simulated(seed)
        noise = np.random.default_rng(seed).normal(0, 1e-6, champion.shape)
        return decide(Contest(champion + noise, champion, labels, whose), {}, LIMITS).promote

    assert not any(rounding(seed) for seed in range(20))


def test_the_same_model_is_not_promoted():
    labels, _, champion, whose = simulated(0)
    assert decide(Contest(champion, champion, labels, whose), {}, LIMITS).verdict == "keep champion"


def test_a_better_model_is_promoted():
    assert promoted(better=0.05) >= 0.8


def test_a_worse_model_is_hardly_ever_promoted():
    assert promoted(better=-0.02) <= 0.1


@pytest.mark.parametrize(("pictures", "people"), [(15, 3), (300, 3)])
def test_a_few_pictures_or_people_decide_nothing(pictures, people):
    decision = decide(contest(0, better=0.5, pictures=pictures, people=people), {}, LIMITS)
    assert decision.verdict == "undecided"
    assert decision.reasons == [f"the test split has {pictures} pictures of {people} people, 30 of 5 are needed"]


def test_worse_in_the_days_that_asked_for_it_is_worse():
    labels, challenger, champion, whose = simulated(0, better=0.3)
    window = np.arange(PICTURES) < 60
    challenger[window] = champion[window] + np.where(labels[window] > 1.5, -0.2, 0.2)

    decision = decide(Contest(challenger, champion, labels, whose), {"the window": window}, LIMITS)

    assert decision.verdict == "keep champion"
    assert decision.reasons[1].startswith("the window ")
    assert "(+0.2000): worse by more than 0.05 with probability 1.00" in decision.reasons[1]


def test_a_part_that_is_too_small_is_not_asked():
    labels, challenger, champion, whose = simulated(0, better=0.3)
    few = np.arange(PICTURES) < 10
    challenger[few] = champion[few] + np.where(labels[few] > 1.5, -0.2, 0.2)
    assert decide(Contest(challenger, champion, labels, whose), {"few": few}, LIMITS).promote


@pytest.mark.parametrize("emotion", range(4))
def test_each_emotion_is_asked(emotion):
    labels, challenger, champion, whose = simulated(0, better=0.3)
    challenger[:, emotion] = champion[:, emotion] + np.where(labels[:, emotion] > 1.5, -0.2, 0.2)
    decision = decide(Contest(challenger, champion, labels, whose), {}, LIMITS)
    assert decision.verdict == "keep champion"
    assert decision.reasons[1].startswith(EMOTIONS[emotion])


def test_saying_nothing_is_not_rewarded():
    """Predictions shrunk to the median lower the MAE where rare levels are rare, and are no better model."""
    generator = np.random.default_rng(5)
    labels = generator.choice(4, (PICTURES, 4), p=[0.7, 0.15, 0.1, 0.05]).astype(float)
    champion = np.clip(labels + generator.normal(0, 0.5, labels.shape) + 0.3, 0, 3)
    shrunk = champion * 0.5
    whose = generator.integers(0, PEOPLE, PICTURES)
    assert measure(shrunk, labels).mae < measure(champion, labels).mae

    decision = decide(Contest(shrunk, champion, labels, whose), {}, LIMITS)

    assert decision.verdict == "keep champion"
    assert any(reason.startswith(BALANCED) for reason in decision.reasons)


@pytest.mark.parametrize(
    ("better", "accept_any", "verdict"),
    [(0.1, False, "promote"), (-0.1, False, "keep champion"), (-0.1, True, "promote")],
)
def test_the_first_model_must_beat_who_always_says_the_median(better, accept_any, verdict):
    decision = decide_first(contest(0, better=better), LIMITS, accept_any=accept_any)
    assert decision.verdict == verdict
    assert decision.reasons[0].startswith("there is no champion yet, compared with predicting the median: MAE ")


def test_the_numbers_are_those_of_the_models():
    labels, challenger, champion, whose = simulated(3)
    decision = decide(Contest(challenger, champion, labels, whose), {}, LIMITS)
    by_name = {part.name: part for part in decision.parts}

    assert by_name["all"].challenger == pytest.approx(measure(challenger, labels).mae)
    assert by_name["all"].champion == pytest.approx(measure(champion, labels).mae)
    for emotion in EMOTIONS:
        assert by_name[emotion].challenger == pytest.approx(measure(challenger, labels).emotions[emotion].mae)
    assert all(part.low <= part.challenger - part.champion <= part.high for part in decision.parts)
    assert (by_name["all"].samples, by_name["all"].people) == (PICTURES, PEOPLE)


def test_the_same_pictures_give_the_same_decision():
    assert decide(contest(4), {}, LIMITS) == decide(contest(4), {}, LIMITS)
