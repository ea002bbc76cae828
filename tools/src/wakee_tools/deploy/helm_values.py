"""Convert helm/values.yaml and an overlay to environment variables, merged as by Helm.

Airflow without the chart (k8s/airflow) uses them, so that it has the same settings as with the chart.
"""

import json
from pathlib import Path
from typing import Any

import yaml

from wakee_tools.paths import HELM


def merged(base: Any, over: Any) -> Any:
    """Merge values as Helm does: mappings key by key, everything else is replaced."""
    if isinstance(base, dict) and isinstance(over, dict):
        return base | {key: merged(base.get(key), value) for key, value in over.items()}
    return over


def values(overlay: str | Path) -> dict[str, Any]:
    """helm/values.yaml with an overlay on top: the name of a file in helm/, or an absolute path."""
    base, over = (yaml.safe_load((HELM / name).read_text()) for name in ("values.yaml", overlay))
    return dict(merged(base, over))


def environment(chart_values: dict[str, Any]) -> dict[str, str]:
    """Airflow's environment variables for `config` and `executor`, and those that the chart adds by default."""
    options = {
        f"AIRFLOW__{section}__{option}".upper(): _text(value)
        for section, found in chart_values["config"].items()
        for option, value in found.items()
    }
    return options | {
        "AIRFLOW__CORE__EXECUTOR": chart_values["executor"],
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": "http://airflow-api-server:8080/execution/",
    }


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)
