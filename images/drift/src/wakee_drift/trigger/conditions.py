"""Decide whether a report requests a retraining: five conditions, each with the numbers that it is based on.

Drift is measured on all rows of the look-back window. The trigger counts only rows that the version now in production
predicted, so that errors of the previous version do not trigger a retraining.
"""

from datetime import datetime, timedelta
from typing import Literal

from pydantic import FiniteFloat

from wakee_drift.records import ProductionScore, Record


class Rules(Record):
    """Parameters of the decision (see `wakee_contract.parameters.DRIFT`)."""

    threshold: FiniteFloat
    min_samples: int
    decide_on: Literal["lower_bound", "score"]
    days_in_a_row: int
    cooldown_days: FiniteFloat
    min_new_samples: int


class History(Record):
    """Earlier reports and retrainings.

    Attributes:
        days_above: Number of consecutive days right before this report whose score of the same version was above the
            threshold.
        retrained: The newest version that a retraining created; None if there is none.
        retrained_at: When it was created, naive UTC.
        new_samples: Number of validated annotations since then; all of them without a retraining.
        asked_for_at: When a report of another run last requested a retraining, which may still be running or may have
            failed; naive UTC.
    """

    days_above: int = 0
    retrained: str | None = None
    retrained_at: datetime | None = None
    new_samples: int = 0
    asked_for_at: datetime | None = None


class Condition(Record):
    """One condition: whether it is met, and the numbers that it is based on."""

    met: bool
    detail: str


class Decision(Record):
    """Whether to retrain.

    Attributes:
        version: The version in production that was evaluated; None if it is unknown.
        above: Whether its score is above the threshold. Later reports use it to count days.
        conditions: All conditions, by name.
    """

    version: str | None
    above: bool
    conditions: dict[str, Condition]

    @property
    def retrain(self) -> bool:
        """Whether every condition is met."""
        return all(condition.met for condition in self.conditions.values())

    @property
    def reasons(self) -> list[str]:
        """Details of the conditions that are not met; of all conditions if all are met."""
        return [condition.detail for condition in self.conditions.values() if self.retrain or not condition.met]


def decide(version: str | None, score: ProductionScore, history: History, rules: Rules, now: datetime) -> Decision:
    """Decide whether a report requests a retraining.

    Args:
        version: The version in production.
        score: Score of the rows that it predicted.
        history: Earlier reports and retrainings.
        rules: Parameters of the decision.
        now: The current time, naive UTC.
    """
    conditions = {
        "rows": _rows(version, score, rules),
        "score": _score(score, rules),
        "days": _days(history, rules, above=(above := _is_above(score, rules))),
        "cooldown": _cooldown(history, rules, now),
        "new_samples": _new_samples(history, rules),
    }
    return Decision(version=version, above=above, conditions=conditions)


def _is_above(score: ProductionScore, rules: Rules) -> bool:
    judged = score.low if rules.decide_on == "lower_bound" else score.score
    return judged is not None and judged > rules.threshold


def _rows(version: str | None, score: ProductionScore, rules: Rules) -> Condition:
    whose = version or "the model in production"
    return Condition(
        met=score.num_samples >= rules.min_samples,
        detail=f"{whose} predicted {score.num_samples} rows of the window ({rules.min_samples} needed)",
    )


def _score(score: ProductionScore, rules: Rules) -> Condition:
    if score.score is None or score.low is None:
        return Condition(met=False, detail="there is no score for the version in production")
    met = _is_above(score, rules)
    judged = f"lower bound {score.low:.3f} of its score {score.score:.3f}"
    if rules.decide_on == "score":
        judged = f"its score {score.score:.3f}"
    return Condition(
        met=met, detail=f"{judged} is {'above' if met else 'not above'} the threshold {rules.threshold:.3f}"
    )


def _days(history: History, rules: Rules, *, above: bool) -> Condition:
    days = history.days_above + 1 if above else 0
    return Condition(
        met=days >= rules.days_in_a_row, detail=f"days in a row above it: {days} ({rules.days_in_a_row} needed)"
    )


def _cooldown(history: History, rules: Rules, now: datetime) -> Condition:
    earlier = {f"the last retraining ({history.retrained}) was": history.retrained_at}
    earlier |= {"a report requested one": history.asked_for_at}
    ages = {what: (now - moment) / timedelta(days=1) for what, moment in earlier.items() if moment}
    if not ages:
        return Condition(met=True, detail="there was no earlier retraining")
    what, age = min(ages.items(), key=lambda each: each[1])
    return Condition(
        met=age >= rules.cooldown_days, detail=f"{what} {age:.1f} days ago ({rules.cooldown_days:g} needed)"
    )


def _new_samples(history: History, rules: Rules) -> Condition:
    return Condition(
        met=history.new_samples >= rules.min_new_samples,
        detail=f"{history.new_samples} annotations since the last retraining ({rules.min_new_samples} needed)",
    )
