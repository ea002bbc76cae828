"""All five stages, as commands, against a real PostgreSQL and a real S3 server."""

import json
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from wakee_common.uris import R2Uri
from wakee_contract.emotions import EMOTIONS

LAST_MONTH = datetime(2026, 3, 10)


def read(pod, uri):
    return pod.store.get_bytes(R2Uri.parse(uri))


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


def test_the_report_can_be_opened_in_a_browser(annotations, run_stages, pod):
    annotations.add_drawn(100, 0.05, seed=1, at=LAST_MONTH, prefix="old")
    annotations.add_drawn(120, 0.3)

    report = run_stages()["report"]

    types = {
        name: pod.store.head(R2Uri.parse(report[f"{name}_uri"]))["ContentType"] for name in ("html", "json", "png")
    }
    assert types == {"html": "text/html; charset=utf-8", "json": "application/json", "png": "image/png"}
    page = read(pod, report["html_uri"]).decode()
    assert "Drift report 2026-03-31" in page
    assert "Kolmogorov-Smirnov" in page
    assert page.count("<body>") == 1
    assert read(pod, report["png_uri"]).startswith(b"\x89PNG")
    found = json.loads(read(pod, report["json_uri"]), parse_constant=pytest.fail)
    names = {metric["metric_name"].partition("(")[0] for metric in found["metrics"]}
    assert {"ValueDrift", "MAE", "RMSE"} <= names


def test_a_second_run_of_the_day_replaces_the_first(annotations, run_stages):
    annotations.add_drawn(50, 0.3)
    first = run_stages(with_report=False)
    [before] = annotations.execute("SELECT id, created_at, updated_at FROM drift_reports")

    annotations.execute("UPDATE emotion_labels SET predicted_boredom = user_boredom")
    second = run_stages(with_report=False)

    [after] = annotations.execute("SELECT id, created_at, updated_at FROM drift_reports")
    assert after[:2] == before[:2]
    assert after[2] > before[2]
    assert second["save"]["drift_report_id"] == first["save"]["drift_report_id"] == before[0]
    assert second["calculate"]["mae"]["boredom"] == 0
    assert annotations.execute("SELECT mae_boredom FROM drift_reports") == [(0,)]


def test_the_same_data_give_the_same_bytes(annotations, pipeline, pod):
    annotations.add_drawn(300, 0.2)
    annotations.add_drawn(300, 0.2, at=LAST_MONTH, prefix="old")

    runs = []
    for _ in range(2):
        fetched = pipeline.fetch()
        loaded = pipeline.load(fetched)
        calculated = pipeline.calculate(loaded)
        uris = [fetched["annotations_uri"], fetched["reference_uri"], loaded["pairs_uri"], calculated["metrics_uri"]]
        runs.append((fetched["sha256"], [read(pod, uri) for uri in uris]))

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
    metrics = json.loads(read(pod, results["calculate"]["metrics_uri"]))
    assert metrics["distribution"]["status"] == "skipped"
    assert "0 usable rows" in read(pod, results["report"]["html_uri"]).decode()


def test_a_reference_that_is_gone_stops_nothing(annotations, pipeline, pod):
    annotations.add_drawn(30, 0.2)
    loaded = pipeline.load(pipeline.fetch())
    pod.store.delete(R2Uri.parse(loaded["reference_pairs_uri"]))

    calculated = pipeline.calculate(loaded)

    assert pipeline.report(loaded, calculated)["status"] == "success"


def test_constant_columns_can_be_reported(annotations, run_stages):
    annotations.add([[1, 1, 1, 1]] * 40, [[1, 1, 1, 1]] * 40)
    annotations.add([[1, 1, 1, 1]] * 40, [[1, 1, 1, 1]] * 40, at=LAST_MONTH, prefix="old")

    results = run_stages()

    assert results["calculate"]["drift_score"] == 0
    assert results["report"]["status"] == "success"


def test_one_row_is_enough_when_asked_for(annotations, pipeline):
    annotations.add([[0, 1, 2, 3]], [[0.5, 1, 2, 3]])

    loaded = pipeline.load(pipeline.fetch(min_samples=1))
    calculated = pipeline.calculate(loaded)

    assert calculated["num_samples"] == 1
    assert calculated["drift_score_low"] == calculated["drift_score_high"] == calculated["drift_score"] == 0.125
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


def test_unusable_rows_are_counted_and_left_out(annotations, run_stages):
    good, nan, inf = [1, 1, 1, 1], float("nan"), float("inf")
    cases = {
        "label_missing": (good, [None, 1, 1, 1]),
        "label_not_finite": (good, [1, nan, 1, 1]),
        "label_out_of_range": (good, [1, 1, 3.5, 1]),
        "prediction_not_finite": ([1, 1, 1, inf], good),
        "prediction_out_of_range": ([1, -7, 1, 1], good),
    }
    annotations.add([[1.5, 1.5, 1.5, 1.5]] * 10, [good] * 10)
    for reason, (predicted, user) in cases.items():
        annotations.add([predicted] * 2, [user] * 2, prefix=reason)

    results = run_stages(with_report=False)

    assert results["fetch"]["rows"] == 14
    assert results["load"]["rows"] == results["calculate"]["num_samples"] == 10
    assert {k: v for k, v in results["load"]["excluded"].items() if v} == dict.fromkeys(cases, 2)
    assert results["calculate"]["drift_score"] == 0.5
    assert annotations.execute("SELECT num_excluded FROM drift_reports") == [(10,)]


def test_a_prediction_that_vanished_is_counted(annotations, pipeline):
    annotations.add_drawn(12, 0.1)
    fetched = pipeline.fetch()
    annotations.execute("DELETE FROM emotion_labels WHERE img_name = 'p3.jpg'")

    loaded = pipeline.load(fetched)

    assert (loaded["rows"], loaded["excluded"]["prediction_missing"]) == (11, 1)


@pytest.mark.parametrize(
    ("at", "columns", "rows"),
    [
        pytest.param(datetime(2026, 3, 25), {}, 1, id="first-moment"),
        pytest.param(datetime(2026, 4, 1) - timedelta(microseconds=1), {}, 1, id="last-moment"),
        pytest.param(datetime(2026, 4, 1), {}, 0, id="after"),
        pytest.param(datetime(2026, 3, 25) - timedelta(microseconds=1), {}, 0, id="before"),
        pytest.param(datetime(2026, 3, 25), {"is_validated": False}, 0, id="not-validated"),
        pytest.param(datetime(2026, 3, 25), {"is_validated": None}, 0, id="perhaps-validated"),
        pytest.param(datetime(2026, 3, 25), {"timestamp": None}, 0, id="no-time"),
        pytest.param(datetime(2026, 3, 25), {"timestamp": "infinity"}, 0, id="the-end-of-time"),
    ],
)
def test_the_window_holds_validated_rows_of_its_days(annotations, pipeline, at, columns, rows):
    annotations.add([[1, 1, 1, 1]], [[1, 1, 1, 1]], at=at, **columns)

    assert pipeline.fetch(min_samples=1)["rows"] == rows


@pytest.mark.parametrize(
    ("stage", "flags"),
    [
        pytest.param("fetch-annotations", {"until": "yesterday"}, id="no-date"),
        pytest.param("load-predictions", {"annotations": "file:///etc/passwd", "reference": "r2://b/k"}, id="no-uri"),
        pytest.param("calculate-drift", {"pairs": "r2://wakee-test/absent"}, id="no-pairs"),
        pytest.param("save-report", {"metrics": "r2://wakee-test/absent", "report": "r2://b/k"}, id="no-metrics"),
    ],
)
def test_bad_input_fails_for_good_and_says_so(pipeline, pod, stage, flags):
    result = pipeline.stage(stage, exit_code=2, **flags)

    assert result["status"] == "failed"
    assert pod.termination_log.read_text() == result["cause"]


@pytest.mark.parametrize("content", [b"", b"PAR1 no Parquet at all PAR1", b"{}"], ids=["empty", "garbage", "json"])
def test_a_damaged_file_fails_for_good(pipeline, pod, content):
    pod.store.put_bytes(pod.store.uri("damaged"), content)
    uri = str(pod.store.uri("damaged"))

    for stage, flags in {
        "load-predictions": {"annotations": uri, "reference": uri},
        "calculate-drift": {"pairs": uri},
        "save-report": {"metrics": uri, "report": uri},
    }.items():
        assert "damaged" in pipeline.stage(stage, exit_code=2, **flags)["cause"] or stage != "save-report"


def test_a_report_that_is_not_there_is_not_recorded(annotations, pipeline):
    annotations.add_drawn(20, 0.2)
    calculated = pipeline.calculate(pipeline.load(pipeline.fetch()))

    metrics = calculated["metrics_uri"]
    result = pipeline.stage("save-report", exit_code=2, metrics=metrics, report="r2://wakee-test/absent/report.html")

    assert "no such report" in result["cause"]
    assert annotations.execute("SELECT count(*) FROM drift_reports") == [(0,)]


@pytest.mark.parametrize("arguments", [[], ["fetch-annotations"], ["generate-report"]], ids=["all", "first", "report"])
def test_help_loads_nothing_heavy(arguments):
    program = "import sys; from wakee_drift.cli import app\ntry: app(sys.argv[1:])\nfinally: print(sorted(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--help"], capture_output=True, text=True, check=True
    )

    assert "Usage" in answer.stdout
    assert not [name for name in ("boto3", "numpy", "pandas", "pyarrow", "evidently") if f"'{name}'" in answer.stdout]


def test_the_workspace_is_left_clean(annotations, run_stages, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "scratch"))
    Path(tmp_path / "scratch").mkdir()
    annotations.add_drawn(20, 0.2)

    run_stages()

    assert [path.name for path in (tmp_path / "scratch").iterdir()] == []
