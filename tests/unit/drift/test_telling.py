"""What is told to Prometheus: alerts judge the present, so a report of a past day must not speak for it."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from wakee_drift import measure
from wakee_drift.records import DriftMetrics, EmotionErrors, Provenance


@pytest.mark.parametrize(
    ("days_ago", "told"),
    [
        pytest.param(0, {"wakee_drift_score": 0.3, "wakee_drift_mae": 0.4}, id="today"),
        pytest.param(2, {"wakee_drift_score": 0.3, "wakee_drift_mae": 0.4}, id="the day before yesterday"),
        pytest.param(3, {}, id="past"),
    ],
)
def test_only_the_present_is_told(monkeypatch, caplog, days_ago, told):
    heard, day = {}, datetime.now(UTC).date() - timedelta(days=days_ago)
    monkeypatch.setattr(measure, "measured", lambda name, _, value, **__: heard.update({name: value}))
    metrics = DriftMetrics.model_construct(
        provenance=Provenance.model_construct(report_date=day),
        drift_score=0.3,
        emotions={"boredom": EmotionErrors(mae=0.4, mse=0.2, rmse=0.45, bias=0)},
    )

    with caplog.at_level(logging.INFO):
        measure._tell(metrics)

    assert heard == told
    assert (f"{day} is past" in caplog.text) is not bool(told)
