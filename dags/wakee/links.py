"""Buttons on a task's page that link to the task's output.

The base addresses must be reachable by a browser. They come from the environment of the Airflow components:
`WAKEE_HUB_UI`, `WAKEE_MLFLOW_UI` and `WAKEE_R2_UI` (`/<bucket>/<key>` below it opens an object; no button if unset).
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from airflow.sdk.bases.operatorlink import BaseOperatorLink
from wakee_contract.model import PUBLIC_HUB, mlflow_run_page


class ResultLink(BaseOperatorLink):
    """A link that is created from the task's result when the task ends; empty without a result."""

    def __init__(self, name: str, address: Callable[[dict[str, Any]], str]) -> None:
        self._name = name
        self._address = address

    @property
    def name(self) -> str:
        """Text of the button."""
        return self._name

    @property
    def xcom_key(self) -> str:
        """Key under which Airflow stores the address."""
        return f"_link_{self._name.lower().replace(' ', '_')}"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address. Airflow passes the running task instance as `ti_key`."""
        result = ti_key.xcom_pull(task_ids=operator.task_id)
        return self._address(result) if result and result.get("status") == "success" else ""


def _hub(result: dict[str, Any]) -> str:
    return (os.environ.get("WAKEE_HUB_UI") or PUBLIC_HUB) + urlsplit(str(result["url"])).path


def _mlflow(result: dict[str, Any]) -> str:
    base = os.environ.get("WAKEE_MLFLOW_UI", "")
    return mlflow_run_page(base, result["experiment_id"], result["mlflow_run_id"]) if base else ""


def _report(result: dict[str, Any]) -> str:
    base = os.environ.get("WAKEE_R2_UI", "")
    return f"{base}/{result['html_uri'].removeprefix('r2://')}" if base else ""


HUB_COMMIT = ResultLink("Hub commit", _hub)
MLFLOW_RUN = ResultLink("MLflow run", _mlflow)
REPORT = ResultLink("Report", _report)
