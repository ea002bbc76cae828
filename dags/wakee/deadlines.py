"""Alerts for runs that have not ended in time, sent while they are still queued or running.

The time starts when the run is queued, so that a run that never starts is reported as well. Airflow's triggerer sends
the alert. It imports this module by its name, like `wakee.pods`.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Any

from airflow.sdk.definitions.callback import AsyncCallback
from airflow.sdk.definitions.deadline import DeadlineAlert, DeadlineReference

from wakee.config import parsed
from wakee.notifications import Channels, message

QUEUED = (
    "it has not started. Check that the DAG is not paused, that no other run is active, and that the scheduler runs"
)


def ends_within(hours: float) -> dict[str, Any]:
    """Return arguments for `DAG(...)`: an alert if a run has not ended this many hours after it was queued."""
    alert = DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(hours=parsed("WAKEE_ALERT_AFTER_HOURS", str(hours), _hours, "a number above zero")),
        callback=AsyncCallback(f"{__name__}.{send_alert.__name__}"),
    )
    return {"deadline": alert}


async def send_alert(context: dict[str, Any]) -> None:
    """Send the alert for the run of an Airflow context."""
    await asyncio.to_thread(_send, context["dag_run"])


def _send(run: dict[str, Any]) -> None:
    state = QUEUED if run["state"] == "queued" else f"it has been running since {run['start_date']}"
    subject = f"{run['dag_id']} has not ended in time"
    Channels().send(message(run["dag_id"], run["dag_run_id"], subject, [f"queued at {run['queued_at']}, {state}"]))


def _hours(text: str) -> float:
    hours = float(text)
    if not 0 < hours < float("inf"):
        raise ValueError(text)
    return hours
