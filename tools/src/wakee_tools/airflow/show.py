"""Console output of the commands."""

import time

from rich.markup import escape
from rich.table import Table

from wakee_tools.airflow.client import Airflow
from wakee_tools.airflow.pods import PendingPods
from wakee_tools.shell import console

COLOURS = {"success": "green", "failed": "red", "skipped": "yellow", "running": "cyan", "up_for_retry": "magenta"}
QUIET = {None, "scheduled", "queued", "none", "deferred"}


def follow(airflow: Airflow, dag_id: str, run_id: str, seconds: float) -> dict[str, str | None]:
    """Print state changes of tasks and reasons of pending pods until the run has ended. Returns the states."""
    start, pending = time.monotonic(), PendingPods(dag_id, run_id)

    def line(task_id: str, what: str) -> None:
        console.print(f"  {time.monotonic() - start:6.1f} s  {task_id:24s} {what}", soft_wrap=True)

    def state_line(task_id: str, state: str | None) -> None:
        if state not in QUIET:
            line(task_id, f"[{COLOURS.get(str(state), 'white')}]{state}[/]")

    def pending_lines() -> None:
        for task_id, reason in pending.news():
            line(task_id, f"[yellow]pod is pending[/]: {escape(reason)}")

    console.print(f"[bold]{dag_id}[/] {run_id}")
    return airflow.wait(dag_id, run_id, seconds, state_line, pending_lines)


def table(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print a table on the console."""
    shown = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        shown.add_column(column, overflow="fold")
    for row in rows:
        shown.add_row(*row)
    console.print(shown)
