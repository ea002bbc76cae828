"""What is told to Prometheus: alerts judge the present, so a report of a past day must not speak for it."""

import logging
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from wakee_drift.measure import calculate as measure
from wakee_drift.records import DriftMetrics, EmotionErrors, Provenance

NOW = 1_800_000_000.0
TOLD = {
    "wakee_drift_score": 0.3,
    "wakee_drift_threshold": 0.2,
    "wakee_drift_score_timestamp_seconds": NOW,
    "wakee_drift_mae": 0.4,
}


@pytest.mark.parametrize(
    ("days_ago", "told"),
    [
        pytest.param(0, TOLD, id="today"),
        pytest.param(2, TOLD, id="the day before yesterday"),
        pytest.param(3, {}, id="past"),
    ],
)
def test_only_the_present_is_told(monkeypatch, caplog, days_ago, told):
    heard, day = {}, datetime.now(UTC).date() - timedelta(days=days_ago)
    monkeypatch.setattr(measure, "time", SimpleNamespace(time=lambda: NOW))
    monkeypatch.setattr(measure, "measured", lambda name, _, value, **__: heard.update({name: value}))
    metrics = DriftMetrics.model_construct(
        provenance=Provenance.model_construct(report_date=day),
        drift_score=0.3,
        threshold=0.2,
        emotions={"boredom": EmotionErrors(mae=0.4, mse=0.2, rmse=0.45, bias=0)},
    )

    with caplog.at_level(logging.INFO):
        measure._tell(metrics)

    assert heard == told
    assert (f"{day} is in the past" in caplog.text) is not bool(told)
