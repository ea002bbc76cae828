"""Whether a model may have learnt from the people it is tested on, and what the earlier split by names would show.

The split by names had pictures of nearly every person in training. A model from that time, and every model that starts
from its weights, has learnt from people who are in the test split now, so its MAE is too low (ADR 9).
"""

from collections.abc import Sequence

import numpy as np
from wakee_common.hub import ModelHub

from wakee_train.data.splits import RULE_BY_PEOPLE, TEST, split_by_name
from wakee_train.evaluation.paired import Contest

BY_NAMES = "names"
CONFIG_KEY = "split_rule"
"""Where a version's `config.json` says its rule. Versions from before the split by people do not say it."""


def rule_of(hub: ModelHub, commit: str) -> str:
    """The rule by which the data of a commit's model, and of those it started from, were split."""
    return str(hub.config(commit).get(CONFIG_KEY, BY_NAMES))


def rule_of_training(hub: ModelHub, started_from: str, rule: str) -> str:
    """The same for a model that is not on the Hub yet.

    Args:
        hub: The repository.
        started_from: What its training started from; `repository@commit` where that was a model of the Hub.
        rule: That of its own data.
    """
    _, at, commit = started_from.rpartition("@")
    return rule_of(hub, commit) if at else rule


def notes(contest: Contest, names: Sequence[str], champion: str, challenger: str) -> list[str]:
    """What to know of the figures while a model may have learnt from test people; nothing once none has.

    Args:
        contest: Both models on the test pictures.
        names: Names of the test pictures, in the same order.
        champion: Its rule.
        challenger: Its rule.
    """
    rules = {"champion": champion, "challenger": challenger}
    if not (earlier := [who for who, rule in rules.items() if rule != RULE_BY_PEOPLE]):
        return []
    who = " and ".join(earlier)
    lines = [f"{who}: may have learnt from the test people under the earlier split by names, so the MAE is too low"]
    rows = np.array([split_by_name(name) == TEST for name in names])
    if rows.any():
        part = contest.overall(rows)
        lines.append(
            f"MAE on the {part.samples} of {len(names)} test pictures that the split by names would test too: "
            f"{part.champion:.4f} -> {part.challenger:.4f}"
        )
    return lines
