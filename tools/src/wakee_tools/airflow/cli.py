"""Commands for operators: `wakee seed`, `trigger`, `pods`, `logs`, `doctor`, `ui` and `demo`."""

import json
import os
import shlex
from typing import Annotated

import typer

from wakee_tools.shell import ToolError, call, console

DAG_ID = typer.Argument(envvar="DAG", help="The DAG, e.g. drift_detection_daily.")


def demo() -> None:
    """Demonstrate the pipeline: detect drift in new annotations, then train and promote a new model.

    Requires `wakee up`. Takes about four minutes.
    """
    from wakee_tools.airflow.client import Airflow
    from wakee_tools.airflow.demo import run_demo

    run_demo(Airflow())


def seed(context: typer.Context) -> None:
    """Draw faces and write annotations to the local sandbox, from a pod.

    The flags are those of `wakee-sandbox seed`, e.g. --rows 600 --days 35 --drift-days 7 --drift-bias confusion=0.5
    --reset --labels-only. Without flags, those in SEED are used, or else --rows 600 --days 35. SEED_SECONDS sets the
    timeout.
    """
    from wakee_tools.airflow import seed as seeding

    if os.environ.get("CLUSTER"):
        raise ToolError("Cannot seed another cluster: make seed writes to the local sandbox only. Unset CLUSTER.")
    flags = context.args or shlex.split(os.environ.get("SEED") or seeding.DEFAULT_FLAGS)
    print(seeding.seed(*flags))


def trigger(
    dag_id: Annotated[str, DAG_ID],
    conf: Annotated[
        str, typer.Option(envvar="CONF", help='Params of the run, as JSON, e.g. {"threshold": 0.2}.')
    ] = "{}",
) -> None:
    """Trigger a DAG run and follow its tasks. Exits with 1 if the run fails."""
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
    """Parse the params of a run.

    Raises:
        ToolError: the text is not JSON, or not an object.
    """
    try:
        return dict(json.loads(conf or "{}"))
    except (ValueError, TypeError) as error:
        raise ToolError(f"CONF is not a JSON object: {error}. Example: CONF='{{\"threshold\": 0.2}}'") from error


def logs(
    dag_id: Annotated[str, DAG_ID],
    task_id: Annotated[str, typer.Argument(envvar="TASK", help="The task, e.g. fetch_annotations.")],
) -> None:
    """Print Airflow's logs of all attempts of one task in the newest run."""
    from wakee_tools.airflow.client import Airflow

    airflow = Airflow()
    runs = airflow.runs(dag_id)
    if not runs:
        raise ToolError(f"{dag_id} has no runs yet. Start one with make trigger DAG={dag_id}")
    run_id = runs[0]["dag_run_id"]
    tasks = airflow.tasks(dag_id, run_id)
    if task_id not in tasks:
        raise ToolError(f"{dag_id} has no task {task_id}. It has: {', '.join(sorted(tasks))}")
    for attempt in range(1, tasks[task_id]["try_number"] + 1):
        console.rule(f"{run_id} {task_id}, attempt {attempt}")
        console.print(airflow.log(dag_id, run_id, task_id, attempt), markup=False, highlight=False)


def pods() -> None:
    """List the stage pods."""
    call("kubectl", "get", "pods", "-n", "wakee", "-L", "wakee.io/dag-id,wakee.io/task-id")


def doctor(
    deep: Annotated[bool, typer.Option(help="Also run the health check, inside the cluster.")] = True,
) -> None:
    """Check everything that the pipelines need, with a remedy for each failure. Exits with 1 if a check fails."""
    from wakee_tools.airflow.client import Airflow
    from wakee_tools.airflow.doctor import examine

    raise typer.Exit(0 if examine(Airflow(), deep) else 1)


def ui() -> None:
    """Print the URLs of the web pages."""
    from wakee_tools.airflow.pages import PAGES

    for name, address in PAGES.items():
        console.print(f"{name:10s} {address}")
