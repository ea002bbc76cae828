"""The report's page, figure and file of numbers."""

import json

import pytest
from wakee_common.uris import R2Uri

from ..conftest import LAST_MONTH


def test_the_report_can_be_opened_in_a_browser(annotations, run_stages, pod):
    annotations.add_drawn(100, 0.05, seed=1, at=LAST_MONTH, prefix="old")
    annotations.add_drawn(120, 0.3)

    report = run_stages()["report"]

    types = {
        name: pod.store.head(R2Uri.parse(report[f"{name}_uri"]))["ContentType"] for name in ("html", "json", "png")
    }
    assert types == {"html": "text/html; charset=utf-8", "json": "application/json", "png": "image/png"}
    page = pod.read(report["html_uri"]).decode()
    assert "Drift report 2026-03-31" in page
    assert "Kolmogorov-Smirnov" in page
    assert page.count("<body>") == 1
    assert pod.read(report["png_uri"]).startswith(b"\x89PNG")
    found = json.loads(pod.read(report["json_uri"]), parse_constant=pytest.fail)
    names = {metric["metric_name"].partition("(")[0] for metric in found["metrics"]}
    assert {"ValueDrift", "MAE", "RMSE"} <= names


def test_constant_columns_can_be_reported(annotations, run_stages):
    annotations.add([[1, 1, 1, 1]] * 40, [[1, 1, 1, 1]] * 40)
    annotations.add([[1, 1, 1, 1]] * 40, [[1, 1, 1, 1]] * 40, at=LAST_MONTH, prefix="old")

    results = run_stages()

    assert results["calculate"]["drift_score"] == 0
    assert results["report"]["status"] == "success"
