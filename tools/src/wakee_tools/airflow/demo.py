"""The demo: seed annotations that disagree with the model, and run the pipelines on them."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from wakee_common.uris import R2Uri

from wakee_tools.airflow.client import Airflow, AirflowError
from wakee_tools.airflow.pages import PAGES
from wakee_tools.airflow.sandbox import store
from wakee_tools.airflow.seed import seed
from wakee_tools.airflow.show import follow, table
from wakee_tools.shell import console

DRIFT, RETRAIN, HEALTH, ROLLBACK = "drift_detection_daily", "model_retrain", "health_check_weekly", "model_rollback"
ANNOTATIONS = "--rows 1000 --days 35 --drift-days 7 --drift-bias confusion=0.5,frustration=0.6 --seed 7"
BACK_DATED = "--labels-only --production-days 36"
FIRST_MODEL = {"epochs": 2, "accept_any_first_model": True}
"""A training so short that the next one can improve on it. It is promoted whatever its metrics."""

SPLIT_COUNTS = ("samples", "people", "sessions")


def run_demo(airflow: Airflow) -> None:
    """Seed, detect drift, retrain, check health, and print the results and where to see them.

    Raises:
        AirflowError: a run did not succeed.
    """
    times: dict[str, float] = {}
    _timed(times, "waiting for earlier runs", lambda: _let_dags_run(airflow))
    # To the second, so that another demo within the hour gets different annotations, and therefore another data set.
    annotations = f"{ANNOTATIONS} --until {datetime.now(UTC):%Y-%m-%dT%H:%M:%S}"
    console.print(f"\n[bold]Annotations[/] of 35 days, the last 7 of them drifted: make seed SEED='{annotations}'")
    _timed(times, "seed", lambda: seed("--reset", *annotations.split()))
    _timed(times, "first model", lambda: _hardly_trained_model(airflow))
    console.print(f"Back-dated, so that the annotations are of its predictions: {BACK_DATED}")
    _timed(times, "back-date", lambda: seed(*annotations.split(), *BACK_DATED.split()))
    airflow.unpause(HEALTH)
    console.print("\n[bold]Drift detection[/], with the parameters' defaults")
    run_id = airflow.trigger(DRIFT)
    _timed(times, DRIFT, lambda: _succeed(airflow, DRIFT, run_id))
    _print_drift(airflow, run_id)
    console.print("\n[bold]Retraining[/], triggered by the drift report")
    retraining = f"drift__{run_id}"
    _timed(times, RETRAIN, lambda: _succeed(airflow, RETRAIN, retraining))
    _print_retraining(airflow, retraining)
    console.print("\n[bold]Health check[/] of all services")
    health = airflow.trigger(HEALTH)
    _timed(times, HEALTH, lambda: _succeed(airflow, HEALTH, health))
    _print_health(airflow, health)
    table("Times", ["step", "seconds"], [[name, f"{seconds:.0f}"] for name, seconds in times.items()])
    table("Where to look", ["page", "address"], [[name, page] for name, page in PAGES.items()])


def _hardly_trained_model(airflow: Airflow) -> None:
    """Put a barely trained model into production: the first demo trains it, later demos roll back to it."""
    trained = [run for run in airflow.runs(RETRAIN) if run["state"] == "success"]
    ours = [run["dag_run_id"] for run in trained if (run["conf"] or {}) == FIRST_MODEL]
    if ours:
        version = {"version": airflow.result(RETRAIN, ours[0], "upload_to_hub")["version"]}
        console.print(f"\n[bold]The first demo's model[/], restored to production: CONF='{json.dumps(version)}'")
        _succeed(airflow, ROLLBACK, airflow.trigger(ROLLBACK, version))
    elif trained:
        console.print("\n[bold]A model of yours[/] is in production, and stays there until a better one is promoted")
    else:
        conf = json.dumps(FIRST_MODEL)
        console.print(f"\n[bold]A first model[/], hardly trained, promoted in any case: CONF='{conf}'")
        _succeed(airflow, RETRAIN, airflow.trigger(RETRAIN, FIRST_MODEL))


def _let_dags_run(airflow: Airflow) -> None:
    """Unpause the pipelines, and wait for the runs that this starts (the last missed schedule).

    The health check is unpaused once there is a model. Without one it would fail.
    """
    first_time = airflow.dags()[DRIFT]["is_paused"]
    for dag_id in airflow.dags().keys() - {HEALTH}:
        airflow.unpause(dag_id)
    if first_time:
        airflow.wait_for_a_run(DRIFT, 60)
    for dag_id in airflow.dags():
        for run in airflow.runs(dag_id):
            if run["state"] in {"queued", "running"}:
                console.print("\nAn earlier run goes first:")
                follow(airflow, dag_id, run["dag_run_id"], 900)


def _succeed(airflow: Airflow, dag_id: str, run_id: str) -> None:
    states = follow(airflow, dag_id, run_id, seconds=1800)
    failed = [task for task, state in states.items() if state == "failed"]
    if failed:
        console.print(airflow.log(dag_id, run_id, failed[0]), markup=False)
        raise AirflowError(f"{dag_id} failed at {failed[0]}: its log is above")


def _print_drift(airflow: Airflow, run_id: str) -> None:
    drift: dict[str, Any] = airflow.result(DRIFT, run_id, "calculate_drift")
    report: dict[str, Any] = airflow.result(DRIFT, run_id, "generate_report")
    low, high = drift["drift_score_low"], drift["drift_score_high"]
    rows = [[emotion, f"{error:.3f}"] for emotion, error in drift["mae"].items()]
    rows += [
        ["drift score", f"{drift['drift_score']:.3f}  (95 % interval {low:.3f} to {high:.3f})"],
        ["threshold", f"{drift['threshold']:.3f}"],
        ["drift", "found" if drift["drift_detected"] else "not found"],
        ["samples", f"{drift['num_samples']} of {drift['num_people']} people"],
        ["report", report["html_uri"]],
    ]
    table("Drift: predictions against corrections", ["", "mean absolute error, 0 to 3"], rows)
    saved = airflow.result(DRIFT, run_id, "save_report")
    table("Retraining" if saved["retrain"] else "No retraining", ["why"], [[reason] for reason in saved["reasons"]])
    console.print(f"The report opens for an hour at {store().link(R2Uri.parse(report['html_uri']))}", soft_wrap=True)


def _print_retraining(airflow: Airflow, run_id: str) -> None:
    def result(task_id: str) -> dict[str, Any]:
        return dict(airflow.result(RETRAIN, run_id, task_id))

    evaluation, hub, split = result("evaluate"), result("upload_to_hub"), result("split_dataset")
    counts = [[name, *(str(split[what][name]) for what in SPLIT_COUNTS)] for name in split["samples"]]
    table("Each person is in one split", ["split", "pictures", "people", "sessions"], counts)
    before = evaluation["champion_mae_per_emotion"] or {}
    rows = [
        [emotion, f"{before[emotion]:.3f}" if before else "-", f"{error:.3f}"]
        for emotion, error in evaluation["mae_per_emotion"].items()
    ]
    old = f"{evaluation['champion_mae']:.3f}" if before else "-"
    rows.append(["all four", old, f"{evaluation['mae']:.3f}"])
    table(f"Champion and challenger on {evaluation['test_samples']} test pictures (MAE)", ["", "old", "new"], rows)
    parts = [list(line.split(": ", 1)) for line in evaluation["parts"]]
    table("What the gate compared (interval and probabilities by people)", ["part", "old -> new"], parts)
    for note in evaluation["notes"]:
        console.print(note)
    facts = [
        ["decision", f"{evaluation['verdict']}: {'; '.join(evaluation['reasons'])}"],
        ["version", f"{hub['version']} (before: {evaluation['champion_version'] or 'none'})"],
        ["Hub commit", f"{hub['commit']} on {hub['branch']}"],
        ["MLflow run", result("log_to_mlflow")["mlflow_run_id"]],
        ["model_versions", f"row {result('update_model_versions')['model_version_id']}"],
        ["training", f"{result('fine_tune')['images_per_second']:.0f} images/s on {result('fine_tune')['device']}"],
    ]
    table("Outcome", ["", ""], facts)
    times = [[task_id, f"{task['duration'] or 0:.0f}"] for task_id, task in airflow.tasks(RETRAIN, run_id).items()]
    table("Times of the stages", ["stage", "seconds"], times)


def _print_health(airflow: Airflow, run_id: str) -> None:
    log = airflow.log(HEALTH, run_id, "generate_summary").splitlines()
    lines = [line.partition("wakee_health.report.summary: ")[2] for line in log]
    console.print("\n".join(dict.fromkeys(line for line in lines if line)), markup=False, highlight=False)


def _timed(times: dict[str, float], name: str, step: Callable[[], object]) -> None:
    start = time.monotonic()
    step()
    times[name] = time.monotonic() - start
