"""Runs of the drift DAG on the cluster, over a past day that nothing else touches."""

import subprocess
from datetime import datetime
from typing import Any

from harness import REPO

from ops.airflow import Airflow

DRIFT = "drift_detection_daily"
CONF = {"until": "2012-06-29", "threshold": 3}
LONGEST_SECONDS = 300


def seed(airflow: Airflow) -> None:
    """Write the annotations of that day, let the DAG run, and wait for a first run, which does not count."""
    rows = ["--rows", "200", "--days", "30", "--until", "2012-06-30T00:00:00", "--labels-only"]
    subprocess.run([REPO / "hack" / "seed.sh", *rows], check=True, stdout=subprocess.DEVNULL)
    airflow.unpause(DRIFT)
    drift_run(airflow)


def drift_run(airflow: Airflow) -> str:
    """One run to its end; returns its id."""
    run_id = airflow.trigger(DRIFT, CONF)
    airflow.wait(DRIFT, run_id, LONGEST_SECONDS)
    return run_id


def lasted(run: dict[str, Any]) -> float:
    """Seconds of a whole run, as the REST API tells it."""
    return seconds_at(run["end_date"]) - seconds_at(run["queued_at"])


def seconds_at(moment: str) -> float:
    """Seconds since 1970 of a moment in ISO notation."""
    return datetime.fromisoformat(moment).timestamp()
