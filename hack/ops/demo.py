"""The demo: fresh annotations that disagree with the model, and what the pipelines make of them."""

import subprocess
import time
from pathlib import Path
from typing import Any

from ops.airflow import Airflow, AirflowError
from ops.show import PAGES, console, follow, table

REPO = Path(__file__).resolve().parent.parent.parent
SEED = "--rows 600 --days 35 --drift-days 7 --drift-bias confusion=0.5,frustration=0.6 --seed 7"


def run_demo(airflow: Airflow) -> None:
    """Seed, detect drift, and print what happened and where to look.

    Raises:
        AirflowError: the run did not succeed.
    """
    _let_dags_run(airflow)
    console.print(f"\n[bold]Annotations[/] of 35 days, the last 7 of them drifted: make seed SEED='{SEED}'")
    _timed(
        "seed", lambda: subprocess.run([REPO / "hack/seed.sh", *SEED.split()], check=True, stdout=subprocess.DEVNULL)
    )
    run_id = airflow.trigger("drift_detection_daily")
    _timed("drift_detection_daily", lambda: _succeed(airflow, "drift_detection_daily", run_id, 600))
    _print_drift(airflow, run_id)
    console.print("[bold]Look around[/]: " + ", ".join(f"{name} {page}" for name, page in PAGES.items()))


def _let_dags_run(airflow: Airflow) -> None:
    """Unpause every DAG; the runs that this starts (the last missed schedule) end before the demo begins."""
    for dag_id, dag in airflow.dags().items():
        if dag["is_paused"]:
            airflow.unpause(dag_id)
    time.sleep(2)
    for dag_id in airflow.dags():
        for run in airflow.runs(dag_id):
            if run["state"] in {"queued", "running"}:
                console.print(f"waiting for {dag_id} {run['dag_run_id']}")
                airflow.wait(dag_id, run["dag_run_id"], 900)


def _succeed(airflow: Airflow, dag_id: str, run_id: str, seconds: float) -> None:
    states = follow(airflow, dag_id, run_id, seconds)
    failed = [task for task, state in states.items() if state in {"failed", "upstream_failed"}]
    if failed:
        console.print(airflow.log(dag_id, run_id, failed[0]), markup=False)
        raise AirflowError(f"{dag_id} failed at {failed[0]}: its log is above")


def _print_drift(airflow: Airflow, run_id: str) -> None:
    drift: dict[str, Any] = airflow.result("drift_detection_daily", run_id, "calculate_drift")
    report: dict[str, Any] = airflow.result("drift_detection_daily", run_id, "generate_report")
    rows = [[emotion, f"{error:.3f}"] for emotion, error in drift["mae"].items()]
    low, high = drift["drift_score_low"], drift["drift_score_high"]
    rows.append(["drift score", f"{drift['drift_score']:.3f}  (95 % interval {low:.3f} to {high:.3f})"])
    rows.append(["threshold", f"{drift['threshold']:.3f}"])
    rows.append(["drift", "found" if drift["drift_detected"] else "not found"])
    rows.append(["samples", str(drift["num_samples"])])
    rows.append(["report", report["html_uri"]])
    table("Drift", ["", "mean absolute error, 0 to 3"], rows)


def _timed(name: str, step: Any) -> None:
    start = time.monotonic()
    step()
    console.print(f"[bold]{name}[/]: {time.monotonic() - start:.0f} s")
