"""Run Evidently with our own tests."""

import json
import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from wakee_contract.emotions import EMOTIONS
from wakee_contract.tables import LABELS, PREDICTED

from wakee_drift.measure.frames import COLUMNS, PERSON
from wakee_drift.measure.permutation import Values, people_p_value
from wakee_drift.records import ColumnDrift

with warnings.catch_warnings():
    # Its dependencies raise deprecation warnings.
    warnings.simplefilter("ignore")
    from evidently import DataDefinition, Dataset, Regression, Report
    from evidently.core.report import Snapshot
    from evidently.legacy.calculations.stattests import StatTest, register_stattest
    from evidently.legacy.core import ColumnType
    from evidently.metrics import ValueDrift

PEOPLE_TEST = "ks_people"
"""Evidently's name for the Kolmogorov-Smirnov distance with the p-value of `permutation.people_p_value`."""
DECIDED = "wakee_decided"
"""Evidently's name for a test that returns the decisions in metrics.json, so that its page shows the same."""

DEFINITION = DataDefinition(
    numerical_columns=list(COLUMNS),
    regression=[
        Regression(name=emotion, target=label, prediction=predicted)
        for emotion, label, predicted in zip(EMOTIONS, LABELS, PREDICTED, strict=True)
    ],
)


def run_evidently(metrics: list[Any], current: pd.DataFrame, reference: pd.DataFrame | None) -> Snapshot:
    """Run Evidently over one or two frames."""
    with warnings.catch_warnings():
        # Its plots warn, e.g. about divisions by zero. The numbers are checked afterwards.
        warnings.simplefilter("ignore")
        return Report(metrics).run(dataset(current), None if reference is None else dataset(reference))


def dataset(frame: pd.DataFrame) -> Dataset:
    """Convert a frame of predictions and labels to an Evidently data set."""
    return Dataset.from_pandas(frame[list(COLUMNS)].astype("float64"), data_definition=DEFINITION)


def value_drifts(
    current: pd.DataFrame, reference: pd.DataFrame, columns: Sequence[str], methods: Mapping[str, float]
) -> dict[str, dict[str, float]]:
    """Return Evidently's finite drift scores per method and column. Rows with NaN are left out per column.

    Args:
        current: Predictions, labels and people.
        reference: The same columns of the reference.
        columns: Columns to compare.
        methods: Thresholds by Evidently's name of the method, which may be `PEOPLE_TEST`.
    """
    current, reference = current.reset_index(drop=True), reference.reset_index(drop=True)
    _register_people_test(current, reference)
    metrics = [ValueDrift(column=c, method=method, threshold=t) for method, t in methods.items() for c in columns]
    scores: dict[str, dict[str, float]] = {method: {} for method in methods}
    for metric in json.loads(run_evidently(metrics, current, reference).json())["metrics"]:
        if math.isfinite(score := float(metric["value"])):
            scores[metric["config"]["method"]][metric["config"]["column"]] = score
    return scores


def register_decisions(columns: Mapping[str, ColumnDrift], display_name: str) -> str:
    """Register a test that returns these decisions, for Evidently's page; return its method name."""

    def decided(reference: pd.Series, _current: pd.Series, _kind: Any, _threshold: float) -> tuple[float, bool]:
        column = columns[str(reference.name)]
        return column.score, column.drifted

    return _register(DECIDED, display_name, decided)


def _register_people_test(current: pd.DataFrame, reference: pd.DataFrame) -> None:
    def test(before: pd.Series, now: pd.Series, _kind: Any, threshold: float) -> tuple[float, bool]:
        # Evidently leaves out rows without a value. The index gives the person of each other row.
        p_value = people_p_value(
            *(
                Values(series.to_numpy(), frame[PERSON].to_numpy()[series.index])
                for series, frame in ((now, current), (before, reference))
            )
        )
        return p_value, p_value <= threshold

    _register(PEOPLE_TEST, "Kolmogorov-Smirnov, people swapped", test)


def _register(name: str, display_name: str, test: Any) -> str:
    register_stattest(StatTest(name, display_name, [ColumnType.Numerical]), test)
    return name
