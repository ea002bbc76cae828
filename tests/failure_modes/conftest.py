"""The installation that `make up` leaves, and the table of what each fault led to."""

from collections.abc import Callable
from pathlib import Path

import pytest

from support.cluster import airflow, kubernetes, model_in_production, query, retraining_paused, seed, store
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
TABLE = Path(__file__).parents[2] / "reports" / "failure-modes.md"
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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table, and keep it."""
    if OBSERVED:
        table = "\n".join([HEAD, *OBSERVED])
        terminalreporter.write_line(table)
        TABLE.parent.mkdir(exist_ok=True)
        TABLE.write_text(table + "\n")
