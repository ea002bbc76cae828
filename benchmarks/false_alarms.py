"""How often does a comparison of distributions call a column drifted, when nothing has changed and when something has?

    .venvs/drift/bin/python benchmarks/false_alarms.py

Simulated: two samples of 23 people each, four levels with a standard deviation of 0.8 about 1.3, clipped to 0..3, their
predictions (correlated 0.7 with them), and a correlation of 0.5 within a person. The reference is of the same people,
or of other ones. With a shift, the look-back window's predictions are 0.5 higher. Counted are the runs in which any of
the eight columns is called drifted, per rule:

- KS: Evidently's Kolmogorov-Smirnov test at 0.05, per column.
- KS, Holm: the same with Holm's correction over the columns.
- PSI: Evidently's population stability index, at least 0.1.
- people, Holm: people swapped (`wakee_drift.measure.permutation`), with Holm.
- ours: what `wakee_drift.measure.distribution` decides, which from 500 rows on needs the index as well.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from document import Goal, publish
from harness import options_of

PEOPLE, CORRELATION, DEVIATION, MIDDLE, LIKE_LABELS = 23, 0.5, 0.8, 1.3, 0.7
SHIFT = 0.5
RULES = ("KS", "KS, Holm", "PSI", "people, Holm", "ours")
LIMIT = 0.08


class Setting(NamedTuple):
    """What is simulated: rows on each side, whether the reference is of the same people, shift of the predictions."""

    rows: int
    same_people: bool
    shift: float


def settings(sizes: tuple[int, ...]) -> Iterator[Setting]:
    """All of them, those without a shift first."""
    for shift in (0.0, SHIFT):
        for same_people in (True, False):
            yield from (Setting(rows, same_people, shift) for rows in sizes)


def draw(setting: Setting, run: int) -> tuple[Any, Any]:
    """Look-back window and reference: (values, shape (rows, 8), whose they are, shape (rows,)) each."""
    import numpy as np

    generator = np.random.default_rng((run, setting.rows, int(setting.same_people)))
    habits = _levels(generator, 2 * PEOPLE, CORRELATION)
    sides = []
    for first, shift in ((0, setting.shift), (0 if setting.same_people else PEOPLE, 0.0)):
        people = generator.integers(first, first + PEOPLE, setting.rows)
        values = MIDDLE + habits[people] + _levels(generator, setting.rows, 1 - CORRELATION)
        values[:, :4] += shift
        sides.append((np.clip(values, 0, 3), people.astype(np.int64)))
    return sides[0], sides[1]


def _levels(generator: Any, count: int, share: float) -> Any:
    """A share of the variance of four predictions and four labels, shape (count, 8)."""
    import numpy as np

    labels, noise = generator.normal(0, DEVIATION * share**0.5, (2, count, 4))
    return np.hstack([LIKE_LABELS * labels + (1 - LIKE_LABELS**2) ** 0.5 * noise, labels])


def alarms(setting: Setting, run: int) -> dict[str, bool]:
    """Which rules call any column drifted."""
    import numpy as np
    from wakee_drift.measure.distribution import THRESHOLDS, choose_method, decide
    from wakee_drift.measure.evidently_runs import PEOPLE_TEST
    from wakee_drift.measure.permutation import FAMILY_ERROR, Values, holm, people_p_value

    (now, people), (before, others) = draw(setting, run)
    columns = range(now.shape[1])
    ks, psi = (np.array([_evidently(name, before[:, c], now[:, c]) for c in columns]) for name in ("ks", "psi"))
    swapped = np.array([people_p_value(Values(now[:, c], people), Values(before[:, c], others)) for c in columns])
    scores = {name: {str(c): float(each[c]) for c in columns} for name, each in ((PEOPLE_TEST, swapped), ("psi", psi))}
    ours = decide(scores, choose_method(setting.rows, setting.rows)[0])
    return {
        "KS": bool((ks <= FAMILY_ERROR).any()),
        "KS, Holm": bool((holm(ks) <= FAMILY_ERROR).any()),
        "PSI": bool((psi >= THRESHOLDS["psi"]).any()),
        "people, Holm": bool((holm(swapped) <= FAMILY_ERROR).any()),
        "ours": any(column.drifted for column in ours.values()),
    }


def _evidently(name: str, reference: Any, current: Any) -> float:
    import pandas as pd
    import wakee_drift.measure.evidently_runs  # noqa: F401 - quiets its warnings
    from evidently.legacy.calculations.stattests import get_stattest
    from evidently.legacy.core import ColumnType

    series = pd.Series(reference), pd.Series(current)
    test = get_stattest(*series, ColumnType.Numerical, name)
    return float(test(*series, ColumnType.Numerical, None).drift_score)


def shares(setting: Setting, runs: int) -> dict[str, float]:
    """Share of the runs with any column drifted, per rule."""
    found = [alarms(setting, run) for run in range(runs)]
    return {rule: sum(each[rule] for each in found) / runs for rule in RULES}


def table(found: dict[Setting, dict[str, float]]) -> str:
    """One row per setting."""
    lines = [
        f"| rows per side | reference of | shift | {' | '.join(RULES)} |",
        "|---:|---|---:|" + "---:|" * len(RULES),
    ]
    for setting, each in found.items():
        people = "the same people" if setting.same_people else "other people"
        cells = " | ".join(f"{each[rule]:.0%}" for rule in RULES)
        lines.append(f"| {setting.rows:,} | {people} | {setting.shift:g} | {cells} |")
    return "\n".join(lines)


def main() -> None:
    """Simulate and tell."""
    options = options_of(__doc__ or "", repetitions=200)
    runs = options.repetitions or (20 if options.quick else 200)
    found = {setting: shares(setting, runs) for setting in settings((100, 300) if options.quick else (100, 300, 1000))}
    worst = max(each["ours"] for setting, each in found.items() if not setting.shift)
    goals = [Goal("false alarms of any distribution, nothing changed", f"{LIMIT:.0%}", f"{worst:.0%}", worst <= LIMIT)]
    error = 100 * (0.25 / runs) ** 0.5
    text = f"{table(found)}\n\n{runs} runs each: the standard error of a share of 50 % is {error:.1f} points."
    publish("false_alarms", goals, text, write=options.publish, packages=["evidently", "numpy", "scipy"])


if __name__ == "__main__":
    main()
