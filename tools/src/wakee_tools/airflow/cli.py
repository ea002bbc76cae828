"""What operators do: `wakee seed`, `trigger`, `pods`, `logs`, `doctor`, `ui`, and the demo."""

import json
import os
import shlex
from typing import Annotated

import typer

from wakee_tools.shell import ToolError, call, console

DAG_ID = typer.Argument(envvar="DAG", help="The DAG, e.g. drift_detection_daily.")


def demo() -> None:
    """Show the main job: drift is found in fresh annotations, and a new model is trained and promoted.

    Needs what `wakee up` makes. Takes some four minutes.
    """
    from wakee_tools.airflow.client import Airflow
    from wakee_tools.airflow.demo import run_demo

    run_demo(Airflow())


def seed(context: typer.Context) -> None:
    """Draw faces and write annotations into the local sandbox, from a pod.

    The flags are those of `wakee-sandbox seed`, e.g. --rows 600 --days 35 --drift-days 7 --drift-bias confusion=0.5
    --reset --labels-only. Without any, SEED is read, else they are --rows 600 --days 35. SEED_SECONDS says how long it
    may take.
    """
    from wakee_tools.airflow import seed as seeding

    if os.environ.get("CLUSTER"):
        raise ToolError("make seed writes to the local sandbox only: leave CLUSTER out")
    flags = context.args or shlex.split(os.environ.get("SEED") or seeding.DEFAULT_FLAGS)
    print(seeding.seed(*flags))


def trigger(
    dag_id: Annotated[str, DAG_ID],
    conf: Annotated[str, typer.Option(envvar="CONF", help='Its params, as JSON, e.g. {"threshold": 0.2}.')] = "{}",
) -> None:
    """Start a DAG run, follow its tasks, and end with 1 when it fails."""
    from wakee_tools.airflow.client import Airflow
    from wakee_tools.airflow.show import follow

    airflow, params = Airflow(), params_of(conf)
    airflow.unpause(dag_id)
    run_id = airflow.trigger(dag_id, params)
    follow(airflow, dag_id, run_id, seconds=6 * 3600)
    state = airflow.run(dag_id, run_id)["state"]
    console.print(f"{dag_id} {run_id}: {state}")
    raise typer.Exit(0 if state == "success" else 1)


def params_of(conf: str) -> dict[str, object]:
    """The params of a run.

    Raises:
        ToolError: this is not JSON, or not an object.
    """
    try:
        return dict(json.loads(conf or "{}"))
    except (ValueError, TypeError) as error:
        raise ToolError(f"CONF is not a JSON object: {error}. Example: CONF='{{\"threshold\": 0.2}}'") from error


def logs(
    dag_id: Annotated[str, DAG_ID],
    task_id: Annotated[str, typer.Argument(envvar="TASK", help="The task, e.g. fetch_annotations.")],
) -> None:
    """Print Airflow's log of every try of one task of the newest run."""
    from wakee_tools.airflow.client import Airflow

    airflow = Airflow()
    runs = airflow.runs(dag_id)
    if not runs:
        raise ToolError(f"{dag_id} has no runs yet: start one with make trigger DAG={dag_id}")
    run_id = runs[0]["dag_run_id"]
    tasks = airflow.tasks(dag_id, run_id)
    if task_id not in tasks:
        raise ToolError(f"{dag_id} has no task {task_id}. It has: {', '.join(sorted(tasks))}")
    for attempt in range(1, tasks[task_id]["try_number"] + 1):
        console.rule(f"{run_id} {task_id}, try {attempt}")
        console.print(airflow.log(dag_id, run_id, task_id, attempt), markup=False, highlight=False)


def pods() -> None:
    """List the stage pods."""
    call("kubectl", "get", "pods", "-n", "wakee", "-L", "wakee.io/dag-id,wakee.io/task-id")


def doctor(
    deep: Annotated[bool, typer.Option(help="Also run the health check, from inside of the cluster.")] = True,
) -> None:
    """Check what the pipelines need, name the remedy of each failure, and end with 1 when there is one."""
    from wakee_tools.airflow.client import Airflow
    from wakee_tools.airflow.doctor import examine

    raise typer.Exit(0 if examine(Airflow(), deep) else 1)


def ui() -> None:
    """Where the web pages are."""
    from wakee_tools.airflow.pages import PAGES

    for name, address in PAGES.items():
        console.print(f"{name:10s} {address}")
