"""Models that may have learnt from test people are named, with the MAE that the split by names would show."""

from types import SimpleNamespace

import numpy as np
import pytest
from wakee_train.data.splits import RULE_BY_PEOPLE, TEST, split_by_name
from wakee_train.evaluation.paired import Contest
from wakee_train.evaluation.split_rules import BY_NAMES, notes, rule_of, rule_of_training

NAMES = [f"picture-{row}.jpg" for row in range(100)]
TESTED = np.array([split_by_name(name) == TEST for name in NAMES])
HUB = SimpleNamespace(config={"old": {}, "new": {"split_rule": RULE_BY_PEOPLE}}.__getitem__)
"""A repository with a commit from before the split by people, and one from after."""


def contest() -> Contest:
    """The champion errs by 1 on what it was once tested on and not at all elsewhere, the challenger by 0.5."""
    labels = np.full((100, 4), 1.0)
    champion = labels + TESTED[:, None]
    return Contest(labels + 0.5, champion, labels, np.arange(100))


@pytest.mark.parametrize(
    ("champion", "challenger", "who"),
    [
        pytest.param(BY_NAMES, RULE_BY_PEOPLE, "champion", id="champion"),
        pytest.param(BY_NAMES, BY_NAMES, "champion and challenger", id="both"),
    ],
)
def test_who_may_have_learnt_from_test_people_is_named_with_the_mae_under_both_rules(champion, challenger, who):
    first, second = notes(contest(), NAMES, champion, challenger)

    assert first.startswith(f"{who}: may have been trained on the test people")
    assert second.startswith(f"MAE on the {TESTED.sum()} of 100 test pictures")
    assert second.endswith("1.0000 -> 0.5000")


def test_nothing_is_noted_once_both_are_of_the_split_by_people():
    assert notes(contest(), NAMES, RULE_BY_PEOPLE, RULE_BY_PEOPLE) == []


def test_without_pictures_that_the_split_by_names_would_test_only_the_model_is_named():
    chosen = [name for name, tested in zip(NAMES, TESTED, strict=True) if not tested]
    labels = np.ones((len(chosen), 4))

    assert len(notes(Contest(labels, labels, labels, np.arange(len(chosen))), chosen, BY_NAMES, BY_NAMES)) == 1


@pytest.mark.parametrize(
    ("started_from", "expected"),
    [
        pytest.param("imagenet", RULE_BY_PEOPLE, id="not-the-hub"),
        pytest.param("wakee/model@new", RULE_BY_PEOPLE, id="a-model-of-the-split-by-people"),
        pytest.param("wakee/model@old", BY_NAMES, id="a-model-of-the-split-by-names"),
    ],
)
def test_a_model_inherits_the_rule_of_the_weights_it_started_from(started_from, expected):
    assert rule_of_training(HUB, started_from, RULE_BY_PEOPLE) == expected
    assert rule_of(HUB, "old") == BY_NAMES
