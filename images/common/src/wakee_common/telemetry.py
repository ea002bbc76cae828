"""Metrics of a stage for Prometheus: collected in this process, pushed to a Pushgateway when the stage ends.

A pod ends before Prometheus could scrape it. Without `PUSHGATEWAY_URL` nothing is pushed, and the Prometheus client,
which takes 50 ms to import, is not imported.
"""

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import Field

from wakee_common.settings import RunContext, Settings, load
from wakee_common.startup import retry_refused

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

logger = logging.getLogger(__name__)

JOB = "wakee"
PATIENCE_SECONDS = 5


@dataclass
class _Measured:
    """A metric's description, and its last value for each set of labels."""

    description: str
    labels: tuple[str, ...]
    values: dict[tuple[str, ...], float]


_noted: dict[str, _Measured] = {}


class TelemetrySettings(Settings):
    """Where metrics are pushed to."""

    gateway: str = Field("", alias="PUSHGATEWAY_URL", description="Address of a Prometheus Pushgateway. Empty: none.")


def measured(name: str, description: str, value: float | None, **labels: str) -> None:
    """Set a metric, which replaces an earlier value with the same name and labels. None is ignored."""
    if value is None:
        return
    metric = _noted.setdefault(name, _Measured(description, tuple(labels), {}))
    metric.values[tuple(labels[label] for label in metric.labels)] = value


def push(context: RunContext, record: dict[str, Any]) -> None:
    """Push the metrics and the outcome of the stage, grouped by DAG and task.

    Metrics of earlier runs that this run did not set are kept. An unavailable gateway is logged and does not fail the
    stage. During startup, a connection that the gateway refuses is retried (see `startup`).
    """
    try:
        gateway = load(TelemetrySettings).gateway
        if not gateway:
            return
        from prometheus_client import pushadd_to_gateway

        _note_end(record)
        names = {"dag_id": context.dag_id, "task_id": context.task_id}
        retry_refused(pushadd_to_gateway, gateway, JOB, _registry(), grouping_key=names, timeout=PATIENCE_SECONDS)
    except Exception as error:  # no error here may fail the stage
        logger.warning("cannot push metrics: %s", error)


def _note_end(record: dict[str, Any]) -> None:
    outcome = record["status"]
    measured("wakee_stage_duration_seconds", "Duration of the last run.", record["seconds"], outcome=outcome)
    measured("wakee_stage_peak_memory_mebibytes", "Peak memory of the last run.", record.get("peak_memory_mib"))
    measured("wakee_stage_rows", "Rows that the last run processed.", record.get("rows"))
    if outcome != "failed":
        measured("wakee_stage_last_success_timestamp_seconds", "Time of the last successful run.", time.time())


def _registry() -> "CollectorRegistry":
    from prometheus_client import CollectorRegistry, Gauge

    registry = CollectorRegistry()
    for name, metric in _noted.items():
        gauge = Gauge(name, metric.description, metric.labels, registry=registry)
        for labels, value in metric.values.items():
            (gauge.labels(*labels) if labels else gauge).set(value)
    return registry
