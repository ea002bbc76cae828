"""The installation that `make up` leaves, and the table of what each fault led to."""

import os
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
from wakee_common.uris import R2Uri

from support.cluster import airflow, kubernetes, model_in_production, query, retraining_paused, seed, store
from support.faults import kubectl, set_variables
from support.production import REPOSITORY, hub, production, registered
from support.waiting import wait_for

pytest.register_assert_rewrite("support.health")

__all__ = [
    "airflow",
    "hub",
    "kubernetes",
    "model_in_production",
    "production",
    "query",
    "retraining_paused",
    "seed",
    "store",
]

DRIFT, RETRAIN = "drift_detection_daily", "model_retrain"
HEAD = "| DAG | fault | during | the run | tries | what the operator reads |\n|---|---|---|---|---|---|"
REPO = Path(__file__).parents[2]
TABLE, PAGE = REPO / "reports" / "failure-modes.md", REPO / "docs" / "failure-modes.md"
BEGIN, END = "<!-- observed -->\n", "<!-- /observed -->"
OBSERVED: list[str] = []


@pytest.fixture(scope="session", autouse=True)
def nothing_left_broken(kubernetes, query):
    """What a killed run of these tests left in disorder is put in order before the first of this one."""
    query("DROP FUNCTION IF EXISTS sleepy CASCADE")
    kubectl("apply", "-k", str(REPO / ".build" / "kind"), "--selector", "!wakee.io/wave")  # Services, Secrets
    leftovers = ("WAKEE_GPU_COUNT", "WAKEE_GPU_WAIT_SECONDS", "WAKEE_DRIFT_IMAGE", "WAKEE_STAGE_MEMORY_FINE_TUNE")
    set_variables(*(f"{name}-" for name in (*leftovers, "WAKEE_STAGE_SCRATCH_FINE_TUNE")))


@pytest.fixture
def observed(airflow) -> Callable[..., None]:
    """Write down what came of a fault: one line of the table in docs/failure-modes.md."""

    def note(dag_id: str, run_id: str, fault: str, task_id: str, reads: str = "") -> None:
        state = airflow.run(dag_id, run_id)["state"]
        tries = airflow.tasks(dag_id, run_id)[task_id]["try_number"]
        OBSERVED.append(f"| `{dag_id}` | {fault} | `{task_id}` | {state} | {tries} | {reads} |")

    return note


@pytest.fixture
def no_orphans(kubernetes) -> Callable[[str], None]:
    """Wait until no pod of a DAG runs on."""

    def alive(dag_id: str) -> list[str]:
        pods = kubernetes.list_namespaced_pod("wakee", label_selector=f"wakee.io/dag-id={dag_id}").items
        return [pod.metadata.name for pod in pods if pod.status.phase in {"Pending", "Running"}]

    return lambda dag_id: wait_for(lambda: not alive(dag_id), 90, "no pod that runs on")


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


@pytest.fixture
def all_agree(airflow, hub, production, query) -> Callable[[str], None]:
    """One row, one registered version and one commit for the run's model, and one model in production everywhere."""

    def check(run_id: str) -> None:
        version = airflow.result(RETRAIN, run_id, "evaluate")["version"]
        published = airflow.result(RETRAIN, run_id, "upload_to_hub")
        (row,) = query("SELECT is_production FROM model_versions WHERE version_name = %s", version)
        assert row["is_production"] == published["promoted"] == airflow.result(RETRAIN, run_id, "evaluate")["promote"]
        branch = quote(published["branch"], safe="")
        commits = hub.get(f"/api/models/{REPOSITORY}/commits/{branch}").raise_for_status().json()
        assert len([commit for commit in commits if version in commit["title"]]) == 1
        assert len(registered(version)) == 1
        assert production().agreed

    return check


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, and keep it; with PUBLISH=1 its rows replace, or join, those of the page."""
    if not OBSERVED:
        return
    table = "\n".join([HEAD, *OBSERVED])
    terminalreporter.write_line(table)
    TABLE.parent.mkdir(exist_ok=True)
    TABLE.write_text(table + "\n")
    if os.environ.get("PUBLISH"):
        before, _, rest = PAGE.read_text().partition(BEGIN)
        rows, _, after = rest.partition(END)
        lines = rows.strip().removeprefix(HEAD).splitlines() + OBSERVED
        newest = {_subject(line): line for line in lines if line}
        PAGE.write_text("\n".join([before + BEGIN + HEAD, *sorted(newest.values(), key=_place), END + after]))


def _subject(row: str) -> tuple[str, ...]:
    """DAG, fault and task of a row."""
    return tuple(row.split(" | ")[:3])


def _place(row: str) -> str:
    """Rows of a DAG stand together."""
    return _subject(row)[0]
