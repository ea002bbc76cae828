"""Measurements reach a real Pushgateway, and trouble with it stays a warning."""

import shutil
import subprocess

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families
from wakee_common import telemetry
from wakee_common.settings import RunContext

from support.ports import free_port
from support.waiting import wait_for

CONTEXT = RunContext.model_validate({"WAKEE_DAG_ID": "drift_detection_daily", "WAKEE_TASK_ID": "calculate_drift"})


@pytest.fixture(scope="module")
def gateway():
    program = shutil.which("prometheus-pushgateway")
    assert program, "apt-get install prometheus-pushgateway (`make test-unit` does)"
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    # Debian's keeps what it was told, for all that start after it, unless told otherwise.
    options = [f"--web.listen-address=127.0.0.1:{port}", "--persistence.file="]
    process = subprocess.Popen([program, *options], stderr=subprocess.DEVNULL)
    wait_for(lambda: _answers(url), 20, "the Pushgateway")
    yield url
    process.terminate()
    process.wait(10)


def _answers(url):
    try:
        return httpx.get(f"{url}/-/ready").is_success
    except httpx.ConnectError:
        return False


def _metrics(url):
    families = text_string_to_metric_families(httpx.get(f"{url}/metrics").text)
    return {
        (sample.name, sample.labels.get("emotion") or sample.labels.get("outcome")): sample
        for family in families
        for sample in family.samples
        if sample.name.startswith("wakee_")
    }


def test_measurements_arrive_and_outlive_a_failure(gateway, monkeypatch):
    monkeypatch.setenv("PUSHGATEWAY_URL", gateway)
    telemetry.measured("wakee_drift_mae", "MAE", 0.25, emotion="boredom")
    telemetry.measured("wakee_drift_score", "score", None)
    telemetry.push(CONTEXT, {"status": "success", "seconds": 1.5, "rows": 7})
    first = _metrics(gateway)
    telemetry.push(CONTEXT, {"status": "failed", "seconds": 2.5})
    second = _metrics(gateway)

    assert first["wakee_drift_mae", "boredom"].value == 0.25
    assert first["wakee_drift_mae", "boredom"].labels["task_id"] == "calculate_drift"
    assert first["wakee_stage_rows", None].value == 7
    assert first["wakee_stage_duration_seconds", "success"].value == 1.5
    assert ("wakee_drift_score", None) not in first
    success = ("wakee_stage_last_success_timestamp_seconds", None)
    assert second[success].value == first[success].value
    assert second["wakee_stage_duration_seconds", "failed"].value == 2.5


def test_a_gateway_that_refuses_a_new_pod_gets_the_metrics(gateway, refused_at_first, monkeypatch, caplog):
    monkeypatch.setenv("PUSHGATEWAY_URL", refused_at_first(gateway))
    telemetry.push(CONTEXT, {"status": "success", "seconds": 17.25})

    assert _metrics(gateway)["wakee_stage_duration_seconds", "success"].value == 17.25
    assert "cannot push metrics" not in caplog.text


def test_a_gateway_that_is_away_is_a_warning(monkeypatch, caplog):
    monkeypatch.setenv("PUSHGATEWAY_URL", "http://127.0.0.1:9")
    telemetry.push(CONTEXT, {"status": "success", "seconds": 1})
    assert "cannot push metrics" in caplog.text


def test_without_a_gateway_nothing_happens(monkeypatch, caplog):
    monkeypatch.delenv("PUSHGATEWAY_URL", raising=False)
    telemetry.push(CONTEXT, {"status": "success", "seconds": 1})
    assert not caplog.text
