"""What operators do: `python -m ops --help`."""

import json
from typing import Annotated

import typer

from ops.airflow import Airflow, AirflowError
from ops.demo import REPO, run_demo
from ops.doctor import examine
from ops.machine import ClusterKind, report_machine
from ops.show import PAGES, console, follow

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)


@app.command()
def demo() -> None:
    """Show the main job: drift is found in fresh annotations, and a new model is trained and promoted."""
    run_demo(Airflow())


@app.command()
def ready(seconds: Annotated[float, typer.Option(help="How long to wait.")] = 120) -> None:
    """Wait until Airflow has read every DAG file; fail with the error of one that it cannot import."""
    expected = {path.stem for path in (REPO / "dags").glob("*.py")}
    found = Airflow().wait_for_dags(expected, seconds)
    console.print("DAGs: " + ", ".join(sorted(found)))


@app.command()
def trigger(
    dag_id: Annotated[str, typer.Argument(help="The DAG, e.g. drift_detection_daily.")],
    conf: Annotated[str, typer.Option(help="Its params, as JSON.")] = "{}",
) -> None:
    """Start a DAG run, follow its tasks, and end with 1 when it fails."""
    airflow = Airflow()
    airflow.unpause(dag_id)
    run_id = airflow.trigger(dag_id, json.loads(conf))
    follow(airflow, dag_id, run_id, seconds=6 * 3600)
    state = airflow.run(dag_id, run_id)["state"]
    console.print(f"{dag_id} {run_id}: {state}")
    raise typer.Exit(0 if state == "success" else 1)


@app.command()
def logs(dag_id: str, task_id: str) -> None:
    """Print Airflow's log of every try of one task of the newest run."""
    airflow = Airflow()
    runs = airflow.runs(dag_id)
    if not runs:
        raise typer.BadParameter(f"{dag_id} has no runs yet: start one with make trigger DAG={dag_id}")
    run_id = runs[0]["dag_run_id"]
    for attempt in range(1, airflow.tasks(dag_id, run_id)[task_id]["try_number"] + 1):
        console.rule(f"{run_id} {task_id}, try {attempt}")
        console.print(airflow.log(dag_id, run_id, task_id, attempt), markup=False, highlight=False)


@app.command()
def doctor(
    deep: Annotated[bool, typer.Option(help="Also run the health check, from inside of the cluster.")] = True,
) -> None:
    """Check what the pipelines need, name the remedy of each failure, and end with 1 when there is one."""
    raise typer.Exit(0 if examine(Airflow(), deep) else 1)


@app.command()
def machine(
    cluster: Annotated[ClusterKind, typer.Option(help="Which cluster is to run on it.")] = ClusterKind.KIND,
) -> None:
    """Check that the machine has the CPUs, memory and disk that a cluster needs, and end with 1 when it has not."""
    raise typer.Exit(0 if report_machine(cluster) else 1)


@app.command()
def ui() -> None:
    """Where the web pages are."""
    for name, address in PAGES.items():
        console.print(f"{name:10s} {address}")


if __name__ == "__main__":
    try:
        app()
    except AirflowError as error:
        raise SystemExit(f"error: {error}") from error
