"""What a stage measured, for Prometheus: kept in this process, pushed to a Pushgateway when the stage ends.

A pod is gone before Prometheus could ask it. Without `PUSHGATEWAY_URL` nothing is pushed.
"""

import logging
from typing import Any

from prometheus_client import CollectorRegistry, Gauge, pushadd_to_gateway
from pydantic import Field

from wakee_common.settings import RunContext, Settings, load

logger = logging.getLogger(__name__)

JOB = "wakee"
PATIENCE_SECONDS = 5
_registry = CollectorRegistry()
_gauges: dict[str, Gauge] = {}


class TelemetrySettings(Settings):
    """Where measurements go."""

    gateway: str = Field("", alias="PUSHGATEWAY_URL", description="Address of a Prometheus Pushgateway; empty: none.")


def measured(name: str, description: str, value: float | None, **labels: str) -> None:
    """Note a measurement (the last one of a name and its labels counts); None is none."""
    if value is None:
        return
    gauge = _gauge(name, description, tuple(labels))
    (gauge.labels(**labels) if labels else gauge).set(value)


def push(context: RunContext, record: dict[str, Any]) -> None:
    """Push what was noted, and how the stage ended, under the DAG's and the task's name.

    Metrics of earlier runs that this one did not measure stay. A gateway that does not answer is logged; the stage
    has done its work.
    """
    try:
        gateway = load(TelemetrySettings).gateway
        if not gateway:
            return
        _note_end(record)
        names = {"dag_id": context.dag_id, "task_id": context.task_id}
        pushadd_to_gateway(gateway, JOB, _registry, grouping_key=names, timeout=PATIENCE_SECONDS)
    except Exception as error:  # whatever it is, it must not fail the stage
        logger.warning("no metrics pushed: %s", error)


def _note_end(record: dict[str, Any]) -> None:
    outcome = record["status"]
    measured("wakee_stage_duration_seconds", "Duration of the last run.", record["seconds"], outcome=outcome)
    measured("wakee_stage_rows", "Rows that the last run worked on.", record.get("rows"))
    if outcome != "failed":
        _gauge("wakee_stage_last_success_timestamp_seconds", "When it last ended well.", ()).set_to_current_time()


def _gauge(name: str, description: str, labels: tuple[str, ...]) -> Gauge:
    if name not in _gauges:
        _gauges[name] = Gauge(name, description, labels, registry=_registry)
    return _gauges[name]
