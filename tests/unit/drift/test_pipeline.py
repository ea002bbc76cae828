"""All five stages, as commands, against a real PostgreSQL and a real S3 server."""

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest
from wakee_common.uris import R2Uri
from wakee_contract.emotions import EMOTIONS

from .conftest import LAST_MONTH


@pytest.fixture
def whole_run(annotations, run_stages):
    """A run with drift, and without a reference; its annotations (predictions, labels) and its results."""
    drawn = annotations.add_drawn(120, 0.3)
    return drawn, run_stages()


def test_a_run_measures_reports_and_records(whole_run, annotations, pod):
    (predicted, user), results = whole_run
    mae = np.abs(predicted - user).mean(axis=0)

    calculated, saved = results["calculate"], results["save"]
    assert calculated["mae"] == pytest.approx(dict(zip(EMOTIONS, mae, strict=True)), abs=1e-12)
    assert calculated["drift_score"] == pytest.approx(mae.mean(), abs=1e-12)
    assert calculated["drift_score_low"] <= calculated["drift_score"] <= calculated["drift_score_high"]
    assert calculated["drift_detected"] is True
    assert all(result["status"] == "success" for result in results.values())
    assert all(len(json.dumps(result)) < 4096 for result in results.values())

    columns = (
        "id, report_date::text, drift_detected, drift_threshold, num_samples, num_excluded, report_uri, dag_id, run_id"
    )
    [row] = annotations.execute(f"SELECT {columns} FROM drift_reports")
    html = results["report"]["html_uri"]
    assert row == (saved["drift_report_id"], "2026-03-31", True, 0.15, 120, 0, html, "test_dag", "test-run")


def test_the_row_holds_everything(whole_run, annotations):
    (predicted, user), results = whole_run
    difference = predicted - user
    expected = {"mae": np.abs(difference), "mse": difference**2, "bias": difference}

    for kind, values in expected.items():
        [row] = annotations.execute(
            f"SELECT {', '.join(f'{kind}_{emotion}' for emotion in EMOTIONS)} FROM drift_reports"
        )
        assert row == pytest.approx(tuple(values.mean(axis=0)), abs=1e-12)
    query = "SELECT rmse_boredom, window_start, window_end, image, git_commit, report_json FROM drift_reports"
    [(rmse, start, end, image, commit, document)] = annotations.execute(query)
    assert rmse == pytest.approx(np.sqrt((difference[:, 0] ** 2).mean()), abs=1e-12)
    assert (start, end) == (datetime(2026, 3, 25), datetime(2026, 4, 1))
    assert (image, commit) == ("wakee/drift:test", "0123456789abcdef0123456789abcdef01234567")
    assert document["report"]["png"] == results["report"]["png_uri"]
    assert document["report"]["json"] == results["report"]["json_uri"]
    assert document["lineage"]["run_id"] == "test-run"
    assert document["emotions"]["boredom"]["mae"] == results["calculate"]["mae"]["boredom"]


def test_the_same_data_give_the_same_bytes(annotations, pipeline, pod):
    annotations.add_drawn(300, 0.2)
    annotations.add_drawn(300, 0.2, at=LAST_MONTH, prefix="old")

    runs = []
    for _ in range(2):
        fetched = pipeline.fetch()
        loaded = pipeline.load(fetched)
        calculated = pipeline.calculate(loaded)
        uris = [fetched["annotations_uri"], fetched["reference_uri"], loaded["pairs_uri"], calculated["metrics_uri"]]
        runs.append((fetched["sha256"], [pod.read(uri) for uri in uris]))

    assert runs[0] == runs[1]


@pytest.mark.parametrize(
    ("error", "threshold", "detected"),
    [
        pytest.param(0.3, 0.15, True, id="above"),
        pytest.param(0.1, 0.15, False, id="below"),
        pytest.param(0.25, 0.25, False, id="equal-is-not-above"),
        pytest.param(0.0, 0.0, False, id="perfect"),
    ],
)
def test_drift_is_a_score_above_the_threshold(annotations, pipeline, error, threshold, detected):
    user = np.full((20, 4), 1.5)
    annotations.add((user + error).tolist(), user.tolist())

    calculated = pipeline.calculate(pipeline.load(pipeline.fetch()), threshold=threshold)

    assert calculated["drift_detected"] is detected
    assert calculated["threshold"] == threshold


def test_a_run_without_any_reference_reports_the_errors(annotations, run_stages, pod):
    annotations.add_drawn(30, 0.2)

    results = run_stages()

    assert results["fetch"]["reference_rows"] == 0
    metrics = json.loads(pod.read(results["calculate"]["metrics_uri"]))
    assert metrics["distribution"]["status"] == "skipped"
    assert "0 usable rows" in pod.read(results["report"]["html_uri"]).decode()


def test_a_reference_that_is_gone_stops_nothing(annotations, pipeline, pod):
    annotations.add_drawn(30, 0.2)
    loaded = pipeline.load(pipeline.fetch())
    pod.store.delete(R2Uri.parse(loaded["reference_pairs_uri"]))

    calculated = pipeline.calculate(loaded)

    assert pipeline.report(loaded, calculated)["status"] == "success"


def test_one_row_is_enough_when_asked_for(annotations, pipeline):
    annotations.add([[0, 1, 2, 3]], [[0.5, 1, 2, 3]])

    loaded = pipeline.load(pipeline.fetch(min_samples=1))
    calculated = pipeline.calculate(loaded)

    assert calculated["num_samples"] == 1
    assert calculated["drift_score"] == 0.125
    assert (calculated["drift_score_low"], calculated["drift_score_high"]) == (0, 3)  # who says nothing of others
    assert pipeline.report(loaded, calculated)["status"] == "success"


@pytest.mark.parametrize("rows", [0, 1, 9])
def test_too_little_data_is_said_by_every_stage_and_writes_no_row(annotations, pipeline, rows):
    annotations.add_drawn(rows, 0.3) if rows else None

    fetched = pipeline.fetch()
    loaded = pipeline.load(fetched)
    calculated = pipeline.calculate(loaded)

    assert [stage["status"] for stage in (fetched, loaded, calculated)] == ["insufficient_data"] * 3
    assert (fetched["rows"], loaded["rows"], calculated["num_samples"]) == (rows, rows, rows)
    assert calculated["metrics_uri"] is None
    assert annotations.execute("SELECT count(*) FROM drift_reports") == [(0,)]


NAMES = [
    "../../etc/passwd",
    "😀.jpg",
    "a,b\"c'.jpg",
    "line\nbreak.jpg",
    "NaN",
    "NULL",
    "",
    "%2e%2e/x",
    "' OR 1=1 --",
    "{}",
]


def test_hostile_names_are_rows_like_others(annotations, run_stages, pod):
    for index, name in enumerate(NAMES):
        annotations.add([[1, 1, 1, 1]], [[2, 2, 2, 2]], img_name=name, s3_path=name, prefix=str(index))

    results = run_stages(with_report=False)

    assert results["calculate"]["num_samples"] == len(NAMES)
    assert results["calculate"]["drift_score"] == 1
    assert all(key.startswith(("runs/test_dag/test-run/", "stand-in/")) for key in pod.store.list_keys(""))


def test_the_workspace_is_left_clean(annotations, run_stages, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    Path(tmp_path / "scratch").mkdir()
    annotations.add_drawn(20, 0.2)

    run_stages()

    assert [path.name for path in (tmp_path / "scratch").iterdir()] == []


def test_people_are_told_apart_by_user_then_session_then_picture(annotations, pipeline):
    """The interval of few people who are right, and one who is always wrong, is wider than that of as many rows."""
    right = {"user_id": "ada", "session_id": "1"}, {"user_id": " ", "session_id": "2"}, {"session_id": "2"}
    for number, columns in enumerate(right):
        annotations.add([[1.0] * 4] * 20, [[1.1] * 4] * 20, prefix=f"right-{number}-", **columns)
    annotations.add([[1.0] * 4] * 20, [[1.5] * 4] * 20, prefix="wrong-", user_id="bob", session_id="2")
    annotations.add([[1.0] * 4] * 2, [[1.1] * 4] * 2, prefix="nobody-")

    calculated = pipeline.calculate(pipeline.load(pipeline.fetch()))

    assert calculated["num_people"] == 5  # ada, session 2, bob and two pictures of nobody
    assert calculated["drift_score_low"] == pytest.approx(0.1)
    assert calculated["drift_score_high"] > 0.4
