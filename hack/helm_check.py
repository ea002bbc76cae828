#!/usr/bin/env python3
"""Check helm/*.yaml against the official chart's JSON schema, root keys included (Helm itself lets those pass).

The schema is `values.schema.json` of the chart; its path comes by CHART_SCHEMA.
"""

import json
import os
import sys
from pathlib import Path
from typing import Any

from helm_values import HELM, values
from jsonschema import Draft7Validator


def problems(chart_values: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """What the schema refuses, and root keys that it does not know."""
    unknown = [f"{key}: no such key in the chart" for key in chart_values if key not in schema["properties"]]
    errors = Draft7Validator(schema).iter_errors(chart_values)
    return unknown + [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in errors]


def main() -> None:
    """Check values.yaml alone, and each values-*.yaml on top of it."""
    path = os.environ.get("CHART_SCHEMA", "")
    if not path or not Path(path).is_file():
        print("not checked: set CHART_SCHEMA to the values.schema.json of the airflow chart 1.22.0")
        return
    schema = json.loads(Path(path).read_text())
    names = sorted(path.name for path in HELM.glob("values*.yaml"))
    found = {name: problems(values(name), schema) for name in names}
    for name, lines in found.items():
        print(f"{name}: {'valid' if not lines else 'INVALID'}", *lines, sep="\n  ")
    sys.exit(any(found.values()))


if __name__ == "__main__":
    main()
