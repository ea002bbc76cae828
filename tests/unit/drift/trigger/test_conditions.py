"""The trigger's conditions, one by one: each holds a retraining back, and says so with its numbers."""

from datetime import datetime, timedelta

import pytest
from wakee_drift.records import ProductionScore
from wakee_drift.trigger.conditions import History, Rules, decide

NOW = datetime(2026, 3, 31, 2)
RULES = Rules(
    threshold=0.15, min_samples=10, decide_on="lower_bound", days_in_a_row=1, cooldown_days=2, min_new_samples=20
)
DRIFTED = ProductionScore(num_samples=120, num_people=20, score=0.3, low=0.24, high=0.36)
LONG_AGO = History(retrained="v3", retrained_at=NOW - timedelta(days=9), new_samples=400)


def judged(score=DRIFTED, history=LONG_AGO, **rules):
    return decide("v3", score, history, RULES.model_copy(update=rules), NOW)


def test_all_conditions_met():
    decision = judged()

    assert decision.retrain
    assert decision.above
    assert decision.reasons == [
        "v3 predicted 120 rows of the window (10 needed)",
        "lower bound 0.240 of its score 0.300 is above the threshold 0.150",
        "days in a row above it: 1 (1 needed)",
        "the last retraining (v3) was 9.0 days ago (2 needed)",
        "400 annotations since the last retraining (20 needed)",
    ]


@pytest.mark.parametrize(
    ("case", "reasons"),
    [
        pytest.param(
            {"score": DRIFTED.model_copy(update={"num_samples": 9})},
            ["v3 predicted 9 rows of the window (10 needed)"],
            id="too few rows of the version",
        ),
        pytest.param(
            {"score": ProductionScore(num_samples=12, num_people=2, score=0.3, low=0.1, high=0.5)},
            [
                "lower bound 0.100 of its score 0.300 is not above the threshold 0.150",
                "days in a row above it: 0 (1 needed)",
            ],
            id="perhaps by chance",
        ),
        pytest.param({"days_in_a_row": 3}, ["days in a row above it: 1 (3 needed)"], id="a single day"),
        pytest.param(
            {"history": LONG_AGO.model_copy(update={"retrained_at": NOW - timedelta(hours=36)})},
            ["the last retraining (v3) was 1.5 days ago (2 needed)"],
            id="retrained yesterday",
        ),
        pytest.param(
            {"history": LONG_AGO.model_copy(update={"asked_for_at": NOW - timedelta(hours=12)})},
            ["a report requested one 0.5 days ago (2 needed)"],
            id="one may be going on",
        ),
        pytest.param(
            {"history": LONG_AGO.model_copy(update={"new_samples": 19})},
            ["19 annotations since the last retraining (20 needed)"],
            id="nothing new to learn",
        ),
    ],
)
def test_what_holds_a_retraining_back(case, reasons):
    decision = judged(**case)

    assert not decision.retrain
    assert decision.reasons == reasons


def test_the_score_itself_may_decide():
    wide = ProductionScore(num_samples=12, num_people=2, score=0.3, low=0.1, high=0.5)

    assert judged(wide, decide_on="score").retrain


def test_the_threshold_itself_is_not_above():
    assert not judged(DRIFTED.model_copy(update={"low": 0.15})).above


def test_days_count_with_those_before():
    assert judged(history=LONG_AGO.model_copy(update={"days_above": 2}), days_in_a_row=3).retrain


def test_without_any_row_of_the_version_there_is_no_score():
    decision = judged(ProductionScore())

    assert "there is no score for the version in production" in decision.reasons
    assert not decision.above


def test_the_first_retraining_waits_for_nothing():
    assert judged(history=History(new_samples=20)).retrain
