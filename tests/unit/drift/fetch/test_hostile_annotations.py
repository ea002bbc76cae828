"""Whatever stands in `emotion_labels`: a row is used, or counted as left out; never a traceback, never a NaN."""

import json
import math
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wakee_common.uris import R2Uri
from wakee_contract.emotions import EMOTIONS

from ..conftest import WINDOW_END, WINDOW_START

GOOD = [1.0, 1.0, 1.0, 1.0]
LAST_MONTH = datetime(2026, 3, 10)

numbers = st.one_of(
    st.floats(0, 3), st.floats(), st.sampled_from([math.nan, math.inf, -math.inf, -0.0, 3.0, 3.5000001, 1e308, 5e-324])
)
names = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=120)
moments = st.one_of(
    st.datetimes(WINDOW_START, WINDOW_END),
    st.datetimes(LAST_MONTH, WINDOW_START),
    st.sampled_from(["infinity", "-infinity", "0001-01-01", "9999-12-31", "294276-12-31", "4713-01-01 BC", None]),
)
rows = st.fixed_dictionaries(
    {
        "img_name": names,
        "s3_path": names,
        "timestamp": moments,
        "is_validated": st.sampled_from([True, True, True, False, None]),
        **{f"predicted_{emotion}": numbers for emotion in EMOTIONS},
        **{f"user_{emotion}": st.one_of(st.none(), numbers) for emotion in EMOTIONS},
    }
)


def insert(annotations: Any, given_rows: list[dict[str, Any]]) -> None:
    annotations.execute("TRUNCATE emotion_labels, drift_reports RESTART IDENTITY CASCADE")
    for row in given_rows:
        columns = ", ".join(f'"{name}"' for name in row)
        places = ", ".join(["%s"] * len(row))
        annotations.execute(f"INSERT INTO emotion_labels ({columns}) VALUES ({places})", list(row.values()))


def is_in_window(row: dict[str, Any]) -> bool:
    at = row["timestamp"]
    return bool(row["is_validated"]) and isinstance(at, datetime) and WINDOW_START <= at < WINDOW_END


def is_usable(row: dict[str, Any]) -> bool:
    labels = [row[f"user_{emotion}"] for emotion in EMOTIONS]
    predicted = [row[f"predicted_{emotion}"] for emotion in EMOTIONS]
    return all(v is not None and 0 <= v <= 3 for v in labels) and all(-0.5 <= v <= 3.5 for v in predicted)


def checked(result: dict[str, Any]) -> None:
    """Strict JSON of XCom's size."""
    assert len(json.dumps(result, allow_nan=False)) < 4096


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(hostile=st.lists(rows, max_size=12, unique_by=lambda row: row["img_name"]))
def test_every_row_is_used_or_counted(annotations, pipeline, hostile):
    insert(annotations, hostile)
    window = [row for row in hostile if is_in_window(row)]
    usable = [row for row in window if is_usable(row)]

    fetched = pipeline.fetch(min_samples=1)
    loaded = pipeline.load(fetched)
    calculated = pipeline.calculate(loaded)

    for result in (fetched, loaded, calculated):
        checked(result)
    assert loaded["rows"] == calculated["num_samples"] == len(usable)
    assert loaded["rows"] + sum(loaded["excluded"].values()) == len(window)
    assert calculated["status"] == ("success" if usable else "insufficient_data")
    if usable:
        errors = [abs(row[f"predicted_{e}"] - row[f"user_{e}"]) for row in usable for e in EMOTIONS]
        assert calculated["drift_score"] == pytest.approx(sum(errors) / len(errors), abs=1e-9)


PICTURE = {
    "two-of-one-picture": (["a.jpg", "b.jpg"], ["same.jpg", "same.jpg"]),
    "emoji": (["😀👩‍👩‍👧.jpg", "e\u0301.jpg"], ["😀.jpg", "é.jpg"]),
    "line-ends": (["a\nb\r\nc\r.jpg", "\n"], ["\r\n", "\n\n"]),
    "traversal": (["../../etc/passwd", "..\\..\\x"], ["../../etc/passwd", "/etc/passwd"]),
    "longest": (["😀" * 255, "x" * 255], ["😀" * 500, "/" * 500]),
    "quotes": (['"', '","'], ["'; DROP TABLE emotion_labels; --", "$(reboot) `id` | x"]),
    "control": (["\x01\x1b[31m", "\x7f\x85\u2028\ufeff\u202e"], ["\x01", "\ufffe"]),
    "null-alike": (["\\N", "NULL"], ["", "NaN"]),
}


@pytest.mark.parametrize(("img_names", "paths"), PICTURE.values(), ids=PICTURE)
def test_names_are_only_names(annotations, run_stages, img_names, paths):
    annotations.add([GOOD] * 10, [GOOD] * 10)
    for name, path in zip(img_names, paths, strict=True):
        annotations.add([GOOD], [[2.0, 2.0, 2.0, 2.0]], img_name=name, s3_path=path)

    results = run_stages(with_report=False)

    assert results["calculate"]["num_samples"] == 12
    assert results["calculate"]["drift_score"] == pytest.approx(2 / 12)
    assert annotations.execute("SELECT count(*) FROM emotion_labels") == [(12,)]


BEYOND = ["infinity", "-infinity", "294276-12-31 23:59", "9999-12-31", "0001-01-01", "4713-01-01 BC"]


@pytest.mark.parametrize("moment", BEYOND)
def test_times_beyond_the_calendar_are_in_no_window(annotations, pipeline, moment):
    annotations.add_drawn(12, 0.2)
    annotations.add([GOOD], [GOOD], timestamp=moment, prefix="beyond")

    assert pipeline.fetch()["rows"] == 12


@pytest.mark.parametrize("until", ["0002-03-31", "9998-12-31"])
def test_windows_may_be_ancient_or_far_off(annotations, pipeline, until):
    last = datetime.fromisoformat(until)
    annotations.add_drawn(12, 0.2, at=last - timedelta(hours=30))

    loaded = pipeline.load(pipeline.fetch(until=until))

    assert (loaded["status"], loaded["rows"]) == ("success", 12)


@pytest.mark.parametrize(
    "until", ["0001-01-01", "9999-12-31", "0001-01-01T00:00:00+14:00", "9999-12-31T23:00:00-14:00", "1e9", "'; --", ""]
)
def test_windows_that_leave_the_calendar_are_bad_input(pipeline, until):
    cause = pipeline.stage("fetch-annotations", exit_code=2, until=until)["cause"]

    assert cause.startswith("--until ")


ALL_BAD = {
    "no-label": (GOOD, [None] * 4),
    "nan": (GOOD, [math.nan] * 4),
    "infinite": (GOOD, [math.inf, -math.inf, 1, 1]),
    "out-of-range": (GOOD, [3.0000001, 1, 1, 1]),
    "prediction-nan": ([math.nan] * 4, GOOD),
    "prediction-huge": ([1e308] * 4, GOOD),
}


@pytest.mark.parametrize(("predicted", "user"), ALL_BAD.values(), ids=ALL_BAD)
def test_all_rows_bad_is_not_enough_data(annotations, pipeline, predicted, user):
    annotations.add([predicted] * 40, [user] * 40)

    loaded = pipeline.load(pipeline.fetch())

    assert (loaded["status"], loaded["rows"], sum(loaded["excluded"].values())) == ("insufficient_data", 0, 40)


CONSTANT = {
    "both": (lambda index: GOOD, lambda index: GOOD),
    "window": (lambda index: GOOD, lambda index: [index % 4 * 0.7] * 4),
    "reference": (lambda index: [index % 4 * 0.7] * 4, lambda index: GOOD),
    "smallest-numbers": (lambda index: [5e-324 * (index % 2)] * 4, lambda index: [5e-324] * 4),
}


@pytest.mark.parametrize(("window", "reference"), CONSTANT.values(), ids=CONSTANT)
@pytest.mark.parametrize("rows", [40, 600])
def test_constant_columns_give_numbers(annotations, pipeline, pod, window, reference, rows):
    annotations.add([window(i) for i in range(rows)], [GOOD] * rows)
    annotations.add([reference(i) for i in range(rows)], [GOOD] * rows, at=LAST_MONTH, prefix="old")

    loaded = pipeline.load(pipeline.fetch())
    calculated = pipeline.calculate(loaded)

    checked(calculated)
    metrics = pod.store.get_bytes(R2Uri.parse(calculated["metrics_uri"]))
    json.loads(metrics, parse_constant=pytest.fail)
    assert pipeline.report(loaded, calculated)["status"] == "success"


@pytest.mark.parametrize("threshold", ["nan", "inf", "-0.1", "3.1", "1e309", "0,15", "1; reboot", "'"])
def test_a_threshold_that_is_none_is_refused(pipeline, threshold):
    from typer.testing import CliRunner
    from wakee_drift.cli import app

    flags = ["--pairs=r2://wakee-test/absent", f"--threshold={threshold}"]
    refused = CliRunner().invoke(app, ["calculate-drift", *flags])

    assert refused.exit_code == 2
    assert "threshold" in refused.output
    assert "absent" not in refused.output


@pytest.mark.parametrize(
    "uri", ["r2://other-bucket/pairs.parquet", "r2://wakee-test/../x", "r2://wakee-test/./x", "s3://wakee-test/x", "/x"]
)
def test_an_address_outside_of_the_bucket_is_refused(pipeline, uri):
    for stage, flags in {
        "load-predictions": {"annotations": uri, "reference": uri},
        "calculate-drift": {"pairs": uri},
        "generate-report": {"metrics": uri, "pairs": uri},
        "save-report": {"metrics": uri, "report": uri},
    }.items():
        assert uri in pipeline.stage(stage, exit_code=2, **flags)["cause"]
