"""Detect models that may have been trained on people in the test split, and report the MAE by the old split by names.

The split by names had pictures of nearly every person in training. A model from that time, and every model that starts
from its weights, was trained on people who are in the test split now, so its MAE is too low (ADR 9).
"""

from collections.abc import Sequence

import numpy as np
from wakee_common.hub import ModelHub

from wakee_train.data.splits import RULE_BY_PEOPLE, TEST, split_by_name
from wakee_train.evaluation.paired import Contest

BY_NAMES = "names"
CONFIG_KEY = "split_rule"
"""Key of the split rule in a version's `config.json`. It is missing in versions from before the split by people."""


def rule_of(hub: ModelHub, commit: str) -> str:
    """The split rule of a commit's model and of the models it started from."""
    return str(hub.config(commit).get(CONFIG_KEY, BY_NAMES))


def rule_of_training(hub: ModelHub, started_from: str, rule: str) -> str:
    """The split rule of a model that is not on the Hub yet, and of the model it started from.

    Args:
        hub: The repository.
        started_from: The start of its training: `repository@commit` for a model of the Hub.
        rule: The split rule of its own data.
    """
    _, at, commit = started_from.rpartition("@")
    return rule_of(hub, commit) if at else rule


def notes(contest: Contest, names: Sequence[str], champion: str, challenger: str) -> list[str]:
    """Caveats about the metrics if a model may have been trained on test people; empty otherwise.

    Args:
        contest: Both models on the test pictures.
        names: Names of the test pictures, in the same order.
        champion: The champion's split rule.
        challenger: The challenger's split rule.
    """
    rules = {"champion": champion, "challenger": challenger}
    if not (earlier := [who for who, rule in rules.items() if rule != RULE_BY_PEOPLE]):
        return []
    who = " and ".join(earlier)
    lines = [
        f"{who}: may have been trained on the test people under the earlier split by names, so the MAE may be too low"
    ]
    rows = np.array([split_by_name(name) == TEST for name in names])
    if rows.any():
        part = contest.overall(rows)
        lines.append(
            f"MAE on the {part.samples} of {len(names)} test pictures that the split by names also used for testing: "
            f"{part.champion:.4f} -> {part.challenger:.4f}"
        )
    return lines
