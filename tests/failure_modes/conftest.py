"""The installation that `make up` leaves, and the table of what each fault led to."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from support.cluster import airflow, kubernetes, model_in_production, query, retraining_paused, seed, store
from support.faults import kubectl, set_variables
from support.production import hub, production
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
    leftovers = ("WAKEE_GPU_COUNT", "WAKEE_GPU_WAIT_SECONDS", "WAKEE_DRIFT_IMAGE", "WAKEE_DEFAULT_TRAINING_MEMORY")
    set_variables(*(f"{name}-" for name in (*leftovers, "WAKEE_DEFAULT_TRAINING_SCRATCH")))


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
