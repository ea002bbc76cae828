"""Validate helm/*.yaml against the official chart's JSON schema, including root keys (which Helm does not check)."""

import json
from pathlib import Path
from typing import Any

from jsonschema import Draft7Validator

from wakee_tools.deploy.helm_values import values
from wakee_tools.paths import HELM


def problems(chart_values: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """List the violations of the schema, and unknown root keys."""
    unknown = [f"{key}: unknown key in the chart" for key in chart_values if key not in schema["properties"]]
    errors = Draft7Validator(schema).iter_errors(chart_values)
    return unknown + [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]


def check(path: str) -> bool:
    """Validate values.yaml alone, and with each values-*.yaml on top. Prints results, returns whether all are valid.

    Args:
        path: Path of the chart's `values.schema.json`. If empty, nothing is checked.
    """
    if not path or not Path(path).is_file():
        print("not checked: set CHART_SCHEMA to the values.schema.json of the airflow chart 1.22.0")
        return True
    schema = json.loads(Path(path).read_text())
    names = sorted(file.name for file in HELM.glob("values*.yaml"))
    found = {name: problems(values(name), schema) for name in names}
    for name, lines in found.items():
        print(f"{name}: {'valid' if not lines else 'INVALID'}", *lines, sep="\n  ")
    return not any(found.values())
