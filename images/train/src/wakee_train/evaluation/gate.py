"""The gate: may the challenger take the champion's place?"""

from wakee_contract.emotions import EMOTIONS

from wakee_train.records import Decision, ModelMetrics


def decide(
    challenger: ModelMetrics, champion: ModelMetrics | None, min_improvement: float, max_regression: float
) -> Decision:
    """Promote when the MAE falls by at least `min_improvement` and no emotion's rises by more than `max_regression`.

    The first model of a repository has nobody to beat. A MAE that does not fall at all is never an improvement.
    """
    limits = {"min_improvement": min_improvement, "max_regression": max_regression}
    if champion is None:
        return Decision(promote=True, reasons=["there is no champion yet"], **limits)
    improvement = champion.mae - challenger.mae
    change = f"MAE {champion.mae:.4f} -> {challenger.mae:.4f}"
    enough = improvement >= min_improvement and improvement > 0
    reasons = [f"{change}: better by {improvement:.4f}, {min_improvement:g} is needed"]
    worse = _regressions(challenger, champion, max_regression)
    return Decision(promote=enough and not worse, reasons=reasons + worse, **limits)


def _regressions(challenger: ModelMetrics, champion: ModelMetrics, max_regression: float) -> list[str]:
    changes = {e: challenger.emotions[e].mae - champion.emotions[e].mae for e in EMOTIONS}
    return [
        f"{emotion} is worse by {change:.4f}, more than {max_regression:g}"
        for emotion, change in changes.items()
        if change > max_regression
    ]
