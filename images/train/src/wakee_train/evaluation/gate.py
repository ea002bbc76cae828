"""The gate: decide whether the challenger replaces the champion.

It must be better overall, and not worse on any part: each emotion, the days of the drift report that triggered the
training, the days before them, each source, rare levels, and pictures whose prediction people corrected.

* Better: in at least `confidence` of the draws of people the MAE falls by `min_improvement`, and by at least `VISIBLE`.
* Worse: the MAE of a part rises by more than `max_regression` in at least `confidence` of the draws. If it does so in
  more than half of them, the verdict is undecided.

`docs/gate.md` explains the numbers for operators, ADR 8 the reasons for them.
"""

from collections.abc import Mapping
from typing import Final

from wakee_contract.emotions import EMOTIONS

from wakee_train.evaluation.paired import Comparison, Contest, Rows
from wakee_train.records import Decision, GateLimits, PartOfGate, Verdict

PROMOTE: Final[Verdict] = "promote"
KEEP: Final[Verdict] = "keep champion"
UNDECIDED: Final[Verdict] = "undecided"
BALANCED = "balanced levels"
EVEN = 0.5
VISIBLE = 1e-4
"""Smallest change of an MAE that counts. The same model on other hardware differs by rounding errors below this."""


def decide(contest: Contest, slices: Mapping[str, Rows], limits: GateLimits) -> Decision:
    """Decide whether the challenger replaces the champion.

    Args:
        contest: Both models on the test pictures.
        slices: Parts of these by name, shape (N,) each. Parts that are too small are skipped.
        limits: The parameters of the gate.
    """
    overall = contest.overall()
    if too_few := _too_few(overall, limits):
        return Decision(verdict=UNDECIDED, reasons=[too_few], parts=[_part("all", overall, limits)], limits=limits)
    parts = _parts(contest, slices, limits)
    verdicts = [_better(overall, limits), *(_not_worse(name, part, limits) for name, part in parts.items())]
    found = {each for each, _ in verdicts}
    verdict = KEEP if KEEP in found else UNDECIDED if UNDECIDED in found else PROMOTE
    return Decision(
        verdict=verdict,
        reasons=[reason for _, reason in verdicts if reason],
        parts=[_part(name, part, limits) for name, part in {"all": overall, **parts}.items()],
        limits=limits,
    )


def worse_parts(contest: Contest, slices: Mapping[str, Rows], limits: GateLimits) -> list[str]:
    """List the parts that more likely than not get worse by more than `max_regression`, each with its numbers.

    Args:
        contest: Both models on the test pictures.
        slices: Parts of these by name, shape (N,) each. Parts that are too small are skipped.
        limits: The parameters of the gate.
    """
    verdicts = [_not_worse(name, part, limits) for name, part in _parts(contest, slices, limits).items()]
    return [reason for _, reason in verdicts if reason]


def decide_first(contest: Contest, limits: GateLimits, *, accept_any: bool) -> Decision:
    """Decide whether a repository's first model is promoted. It must be better than a constant prediction.

    Args:
        contest: The challenger against the constant predictor: the median of each emotion in training.
        limits: The parameters of the gate.
        accept_any: Promote it whatever its metrics.
    """
    overall = contest.overall()
    too_few = _too_few(overall, limits)
    verdict: Verdict
    verdict, reason = (UNDECIDED, too_few) if too_few else _better(overall, limits)
    reason = f"there is no champion yet, compared with predicting the median: {reason}"
    if accept_any and verdict != PROMOTE:
        verdict, reason = PROMOTE, f"{reason}; promoted nevertheless, because accept_any_first_model is set"
    return Decision(verdict=verdict, reasons=[reason], parts=[_part("all", overall, limits)], limits=limits)


def _parts(contest: Contest, slices: Mapping[str, Rows], limits: GateLimits) -> dict[str, Comparison]:
    return {emotion: contest.emotion(index) for index, emotion in enumerate(EMOTIONS)} | {
        BALANCED: contest.balanced(),
        **{name: contest.overall(rows) for name, rows in slices.items() if _large(contest.size(rows), limits)},
    }


def _too_few(overall: Comparison, limits: GateLimits) -> str:
    if _large((overall.samples, overall.people), limits):
        return ""
    return (
        f"the test split has {overall.samples} pictures of {overall.people} people, "
        f"{limits.min_test_samples} of {limits.min_test_people} are needed"
    )


def _large(size: tuple[int, int], limits: GateLimits) -> bool:
    return size[0] >= limits.min_test_samples and size[1] >= limits.min_test_people


def _better(overall: Comparison, limits: GateLimits) -> tuple[Verdict, str]:
    sure = 1 - overall.probability(-max(limits.min_improvement, VISIBLE))
    verdict: Verdict = PROMOTE if sure >= limits.confidence else KEEP if sure <= 1 - limits.confidence else UNDECIDED
    by = f" by {limits.min_improvement:g}" if limits.min_improvement else ""
    return (
        verdict,
        f"{_change('MAE', overall)}; better{by} with probability {sure:.2f}, {limits.confidence:g} is needed",
    )


def _not_worse(name: str, part: Comparison, limits: GateLimits) -> tuple[Verdict, str]:
    worse = part.probability(limits.max_regression)
    if worse <= EVEN:
        return PROMOTE, ""
    verdict: Verdict = KEEP if worse >= limits.confidence else UNDECIDED
    return verdict, f"{_change(name, part)}: worse by more than {limits.max_regression:g} with probability {worse:.2f}"


def _change(name: str, part: Comparison) -> str:
    return f"{name} {part.champion:.4f} -> {part.challenger:.4f} ({part.difference:+.4f})"


def _part(name: str, part: Comparison, limits: GateLimits) -> PartOfGate:
    low, high = part.interval(limits.confidence)
    return PartOfGate(
        name=name,
        samples=part.samples,
        people=part.people,
        champion=part.champion,
        challenger=part.challenger,
        low=low,
        high=high,
        better=float((part.replicates < 0).mean()),
        worse=part.probability(limits.max_regression),
    )


def described(part: PartOfGate) -> str:
    """Describe a part in one line."""
    return (
        f"{part.name}: {part.samples} pictures of {part.people} people, MAE {part.champion:.3f} -> "
        f"{part.challenger:.3f} ({part.low:+.3f} to {part.high:+.3f}), better {part.better:.2f}, "
        f"much worse {part.worse:.2f}"
    )
