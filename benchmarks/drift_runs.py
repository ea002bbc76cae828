"""Runs of the drift DAG on the cluster, over a past day that nothing else touches."""

import signal
import sys
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from wakee_tools.airflow.client import Airflow
from wakee_tools.airflow.seed import seed as seed_sandbox

DRIFT = "drift_detection_daily"
CONF = {"until": "2012-06-29", "threshold": 3}
LONGEST_SECONDS = 300
LAST_STAGE = "save_report"
SIGTERM_STATUS = 128 + signal.SIGTERM


def seed(airflow: Airflow) -> None:
    """Write the annotations of that day, let the DAG run, and wait for a first run, which does not count."""
    rows = ["--rows", "200", "--days", "30", "--until", "2012-06-30T00:00:00", "--labels-only"]
    seed_sandbox(*rows)
    airflow.unpause(DRIFT)
    drift_run(airflow)


def drift_run(airflow: Airflow) -> str:
    """One run to its end; returns its id."""
    return complete_run(airflow, DRIFT, CONF, [LAST_STAGE])


def complete_run(airflow: Airflow, dag: str, conf: dict[str, Any], tasks: Sequence[str]) -> str:
    """One run of a DAG to its end; returns its id.

    Raises:
        RuntimeError: one of these tasks did not succeed, so that the run's seconds tell nothing.
    """
    run_id = airflow.trigger(dag, conf)
    states = airflow.wait(dag, run_id, LONGEST_SECONDS)
    if unlike := {task: states.get(task) for task in tasks if states.get(task) != "success"}:
        raise RuntimeError(f"{dag} {run_id}: {unlike}, see its log in Airflow")
    return run_id


def end_in_order() -> None:
    """Let SIGTERM (`timeout`, a closed session) end the program as Ctrl-C does: what it put in is taken out again."""
    signal.signal(signal.SIGTERM, _end)


def _end(*_: object) -> None:
    """Only the first signal counts: another must not end the taking out half-way."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(SIGTERM_STATUS)


def lasted(run: dict[str, Any]) -> float:
    """Seconds of a whole run, as the REST API tells it."""
    return seconds_at(run["end_date"]) - seconds_at(run["queued_at"])


def seconds_at(moment: str) -> float:
    """Seconds since 1970 of a moment in ISO notation."""
    return datetime.fromisoformat(moment).timestamp()
