"""What came of a fault: checks of a run's outcome, and the table of docs/failure-modes.md."""

import os
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from support.production import REPOSITORY, registered
from support.waiting import wait_for

RETRAIN = "model_retrain"
HEAD = "| DAG | fault | during | the run | tries | what the operator reads |\n|---|---|---|---|---|---|"
REPO = Path(__file__).parents[2]
TABLE, PAGE = REPO / "reports" / "failure-modes.md", REPO / "docs" / "failure-modes.md"
BEGIN, END = "<!-- observed -->\n", "<!-- /observed -->"
OBSERVED: list[str] = []


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
