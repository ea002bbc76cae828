"""The training data of the version in production, and the days before, as references."""

import numpy as np
import pytest
from wakee_common.training_sample import SampledRow, TrainingSample
from wakee_drift.measure.comparisons import compare_with_training, days_before
from wakee_drift.measure.distribution import decide, described
from wakee_drift.measure.evidently_runs import PEOPLE_TEST
from wakee_drift.measure.frames import COLUMNS, PERSON, training_frame
from wakee_drift.records import DistributionDrift, ProductionSample, Provenance


def sample(rows=300, held_out=120, training_predictions=None):
    """Labels and held-out predictions about 1.5, each row of a person of its own."""
    levels = np.random.default_rng(5).normal(1.5, 0.4, (rows, 8)).clip(0, 3)
    return TrainingSample(
        version="v1",
        dataset_id="d",
        pictures=rows,
        rows=[
            SampledRow(
                person=index,
                split="test" if index < held_out else "train",
                labels=tuple(row[4:]),
                predictions=tuple(row[:4]) if index < held_out else training_predictions,
            )
            for index, row in enumerate(levels)
        ],
    )


def window(rows=200, shift=0.0):
    from .test_distribution import frame

    return frame(rows, shift, seed=9)


def test_predictions_on_training_pictures_are_no_reference():
    frame = training_frame(sample(training_predictions=(3.0, 3.0, 3.0, 3.0)))

    assert frame["predicted_boredom"].count() == 120
    assert frame["predicted_boredom"].max() < 3
    assert frame["user_boredom"].count() == len(frame) == 300
    assert list(frame.columns) == [*COLUMNS, PERSON]


@pytest.mark.parametrize(("shift", "drifted"), [(0.0, 0), (0.6, 8)], ids=["no-shift", "shift"])
def test_the_window_is_compared_with_the_training_data(shift, drifted):
    found = compare_with_training(window(shift=shift), ProductionSample(version="v1", sample=sample()))

    assert (found.status, found.against) == ("compared", "the training data of v1")
    assert sum(column.drifted for column in found.columns.values()) == drifted
    assert described(found).startswith("against the training data of v1: ")


def test_too_few_held_out_rows_leave_the_labels():
    found = compare_with_training(window(), ProductionSample(version="v1", sample=sample(held_out=12)))

    assert set(found.columns) == {name for name in COLUMNS if name.startswith("user_")}
    assert "12 usable rows" in found.skipped_columns["predicted_boredom"]


def test_without_a_sample_the_reason_is_given():
    found = compare_with_training(window(), ProductionSample(version="v1", reason="it is gone"))

    assert described(found) == "against the training data of v1: skipped, it is gone"


@pytest.mark.parametrize(
    ("p_value", "index", "drifted"),
    [(0.001, 0.2, True), (0.001, 0.05, False), (0.04, 0.2, False)],
    ids=["both", "too-small-to-matter", "chance"],
)
def test_a_large_sample_needs_p_value_and_index(p_value, index, drifted):
    p_values = {"a": p_value, **dict.fromkeys("bcdefgh", 0.9)}
    columns = decide({PEOPLE_TEST: p_values, "psi": {"a": index, **dict.fromkeys("bcdefgh", 0.2)}}, "psi")

    assert columns["a"].drifted is drifted
    assert columns["a"].p_value == pytest.approx(8 * p_value)


@pytest.mark.parametrize(("start", "name"), [(10, "the 15 days before"), (24, "the day before")])
def test_the_reference_window_is_named_by_its_days(start, name):
    day = "2026-03-{}T00:00:00"
    provenance = Provenance(
        report_date="2026-03-31",
        window_start=day.format(25),
        window_end=day.format(31),
        reference_start=day.format(start),
        min_samples=1,
    )

    assert days_before(provenance) == name


def test_older_comparisons_stay_readable():
    older = {"status": "compared", "reason": "r", "method": "ks", "rows": 9, "reference_rows": 9}
    older["columns"] = {"user_boredom": {"score": 0.01, "threshold": 0.05, "drifted": True}}

    found = DistributionDrift.model_validate(older)

    assert found.columns["user_boredom"].p_value is None
    assert "against the reference window: user_boredom (ks 0.01) drifted" in described(found)
