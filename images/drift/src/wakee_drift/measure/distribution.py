"""Compare the distributions of predictions and labels with a reference, by Evidently on bounded samples.

A column has drifted if a permutation test by people (`permutation`) is significant after Holm's correction over all
columns. From 500 rows on each side, the population stability index (PSI) must also be at least 0.1: with many people
the test detects differences too small to matter, and the index does not. Below 500 rows the index is not meaningful.

Measured by benchmarks/false_alarms.py: share of runs in which any of the eight columns counts as drifted; 23 people on
each side, correlation 0.5 within a person, 100 runs; reference of the same people / of other people.

| nothing has changed, rows per side | 100 | 300 | 1,000 |
|---|---|---|---|
| Kolmogorov-Smirnov (KS), as before | 25 % / 75 % | 29 % / 97 % | 33 % / 100 % |
| KS, Holm | 4 % / 48 % | 4 % / 91 % | 5 % / 99 % |
| PSI, as before from 500 rows | 100 % / 100 % | 68 % / 99 % | 0 % / 93 % |
| people, Holm | 5 % / 2 % | 6 % / 4 % | 9 % / 3 % |
| this rule | 5 % / 2 % | 6 % / 4 % | 0 % / 3 % |

This rule detects predictions that are higher by 0.5 levels in 99 % / 80 %, 100 % / 90 % and 100 % / 94 % of the runs.
More rows do not correct the effect of correlation within people on the plain test, so the permutation test is used at
every size. Its time is bounded by the size of the samples. Evidently's default for small samples of integer labels, a
chi-square test, reported 29 % of undrifted columns as drifted in an earlier measurement with independent rows.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from wakee_drift.measure.evidently_runs import PEOPLE_TEST, value_drifts
from wakee_drift.measure.frames import COLUMNS, PERSON, in_steps
from wakee_drift.measure.permutation import FAMILY_ERROR, FEWEST_PEOPLE, FEWEST_REFERENCE_ROWS, holm
from wakee_drift.records import ColumnDrift, DistributionDrift

ROWS_FOR_PSI = 500
THRESHOLDS: Mapping[Literal["psi", "ks"], float] = {"psi": 0.1, "ks": FAMILY_ERROR}
REFERENCE_WINDOW = "the reference window"


def compare_distributions(
    current: pd.DataFrame, reference: pd.DataFrame, against: str = REFERENCE_WINDOW
) -> DistributionDrift:
    """Compare each column of the look-back window with a reference.

    Args:
        current: Predictions, labels and people of the look-back window, as `frames.sample_frame` gives them.
        reference: The same columns of the reference; NaN where a row has no value.
        against: Description of the reference, for reports and logs.
    """
    current, reference = in_steps(current), in_steps(reference)
    unusable = {name: reason for name in COLUMNS if (reason := why_not(current, reference, name, against))}
    columns = [name for name in COLUMNS if name not in unusable]
    drift = DistributionDrift(
        status="compared", reason="", against=against, rows=len(current), reference_rows=len(reference)
    )
    if not columns:
        reasons = "; ".join(dict.fromkeys(unusable.values()))
        return drift.model_copy(update={"status": "skipped", "reason": reasons})
    method, reason = choose_method(len(current), min(int(reference[name].count()) for name in columns))
    scores = value_drifts(current, reference, columns, {PEOPLE_TEST: FAMILY_ERROR, **_effect_size(method)})
    update = {"reason": reason, "method": method, "skipped_columns": unusable, "columns": decide(scores, method)}
    return drift.model_copy(update=update)


def why_not(current: pd.DataFrame, reference: pd.DataFrame, name: str, against: str) -> str:
    """Return why a column cannot be compared; empty if it can."""
    known = reference[name].notna()
    if known.sum() < FEWEST_REFERENCE_ROWS:
        return f"{against}: {known.sum()} usable rows, fewer than {FEWEST_REFERENCE_ROWS}"
    if reference[name].nunique() < 2:
        return f"constant in {against}"
    samples = {"the look-back window": current[PERSON], against: reference.loc[known, PERSON]}
    for what, people in samples.items():
        if (count := people.nunique()) < FEWEST_PEOPLE:
            return f"{what}: rows of {count} people, fewer than {FEWEST_PEOPLE}"
    return ""


def choose_method(rows: int, reference_rows: int) -> tuple[Literal["psi", "ks"], str]:
    """Return the method for samples of these sizes, and the reason."""
    if min(rows, reference_rows) >= ROWS_FOR_PSI:
        return "psi", f"population stability index, and permutation by people: {ROWS_FOR_PSI} rows or more on each side"
    return "ks", (
        "Kolmogorov-Smirnov distance, permutation by people: "
        f"the stability index is unreliable below {ROWS_FOR_PSI} rows on each side"
    )


def decide(scores: Mapping[str, Mapping[str, float]], method: Literal["psi", "ks"]) -> dict[str, ColumnDrift]:
    """Decide which columns have drifted.

    A column has drifted if its p-value, with Holm's correction over all columns compared, is at most `FAMILY_ERROR`
    and, where the index is measured, the index is at least 0.1. Such a difference is neither random nor too small to
    matter.

    Args:
        scores: Scores per method and column: p-values of `PEOPLE_TEST`, and the index where it is measured.
        method: Which of them is reported as the column's score.
    """
    raw = scores[PEOPLE_TEST]
    p_values = dict(zip(raw, holm(np.array(list(raw.values()))).tolist(), strict=True))
    shown = scores["psi"] if method == "psi" else p_values
    return {
        name: ColumnDrift(
            score=shown[name],
            threshold=THRESHOLDS[method],
            p_value=p_value,
            drifted=p_value <= FAMILY_ERROR and (method == "ks" or shown[name] >= THRESHOLDS["psi"]),
        )
        for name, p_value in p_values.items()
        if name in shown
    }


def described(drift: DistributionDrift) -> str:
    """Describe a comparison in one line: the reference, and the drifted columns or why nothing was compared."""
    if drift.status == "skipped":
        return f"against {drift.against}: skipped, {drift.reason}"
    found = [
        f"{name} ({drift.method} {column.score:.3g}{_p_value(column)})"
        for name, column in drift.columns.items()
        if column.drifted
    ]
    sizes = f"{drift.rows:,} rows against {drift.reference_rows:,}"
    return f"against {drift.against}: {', '.join(found) or 'no column'} drifted, {sizes} ({drift.reason})"


def _effect_size(method: Literal["psi", "ks"]) -> dict[str, float]:
    return {"psi": THRESHOLDS["psi"]} if method == "psi" else {}


def _p_value(column: ColumnDrift) -> str:
    return "" if column.p_value is None else f", p {column.p_value:.3g}"
