"""The installation that `make up` leaves."""

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest
from wakee_common.uris import R2Uri

from support.cluster import airflow, kubernetes, model_in_production, query, retraining_paused, seed, store
from support.faults import kubectl, set_variables
from support.outcomes import all_agree, no_orphans, observed, pytest_terminal_summary
from support.production import hub, production
from support.waiting import wait_for

pytest.register_assert_rewrite("support.health")

__all__ = [
    "airflow",
    "all_agree",
    "hub",
    "kubernetes",
    "model_in_production",
    "no_orphans",
    "observed",
    "production",
    "pytest_terminal_summary",
    "query",
    "retraining_paused",
    "seed",
    "store",
]

DRIFT = "drift_detection_daily"
REPO = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def nothing_left_broken(kubernetes, query):
    """What a killed run of these tests left in disorder is put in order before the first of this one."""
    query("DROP FUNCTION IF EXISTS sleepy CASCADE")
    kubectl("apply", "-k", str(REPO / ".build" / "kind"), "--selector", "!wakee.io/wave")  # Services, Secrets
    leftovers = ("WAKEE_GPU_COUNT", "WAKEE_GPU_WAIT_SECONDS", "WAKEE_DRIFT_IMAGE", "WAKEE_STAGE_MEMORY_FINE_TUNE")
    set_variables(*(f"{name}-" for name in (*leftovers, "WAKEE_STAGE_SCRATCH_FINE_TUNE")))


@pytest.fixture
def backfilled(airflow, query) -> Callable[..., list[dict[str, object]]]:
    """Run drift detection for all days between two, again where it has run; returns the reports of these runs."""

    def run(first: date, last: date, seconds: float, **options: object) -> list[dict[str, object]]:
        days = {"from_date": f"{first}T00:00:00Z", "to_date": f"{last}T23:00:00Z"}
        waits = {"dag_run_conf": {"queue_while_paused": True}}
        body = {"dag_id": DRIFT, "reprocess_behavior": "completed", **waits, **days, **options}
        begun = datetime.now(UTC)
        backfill = airflow.call("POST", "backfills", json=body)
        wait_for(lambda: airflow.call("GET", f"backfills/{backfill['id']}")["completed_at"], seconds, "the end", 2)
        statement = "SELECT report_date, run_id FROM drift_reports WHERE report_date BETWEEN %s AND %s ORDER BY 1"
        reports = query(statement, first, last)
        runs = [airflow.run(DRIFT, str(report["run_id"])) for report in reports]
        assert {run["state"] for run in runs} == {"success"}
        assert all(datetime.fromisoformat(run["start_date"]) > begun for run in runs)
        return reports

    return run


@pytest.fixture
def one_report(airflow, query, store) -> Callable[[date, str], None]:
    """The day's only report is the run's, it counts every annotation of its window, and its pages are there."""
    annotations = "SELECT count(*) AS n FROM emotion_labels WHERE is_validated AND timestamp >= %s AND timestamp < %s"

    def check(day: date, run_id: str) -> None:
        (report,) = query("SELECT run_id, num_samples FROM drift_reports WHERE report_date = %s", day)
        assert report["run_id"] == run_id
        fetched = airflow.result(DRIFT, run_id, "fetch_annotations")
        start, end = (datetime.fromisoformat(fetched[name]) for name in ("window_start", "window_end"))
        assert end - start == timedelta(days=7)
        given = airflow.run(DRIFT, run_id)["conf"].get("until")  # the whole of a day, else a moment of it
        assert end == datetime.combine(day, time()) + timedelta(days=1) if given else end.date() == day
        (window,) = query(annotations, start, end)
        assert report["num_samples"] == window["n"] > 0
        for address in ("html_uri", "json_uri", "png_uri"):
            uri = airflow.result(DRIFT, run_id, "generate_report")[address]
            assert store.get_bytes(R2Uri.parse(uri))

    return check
