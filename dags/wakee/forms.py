"""Trigger forms, made from the parameters of the contract."""

import os
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param
from wakee_contract.parameters import Parameter

PARSERS = {"integer": int, "number": float, "string": str}


def form(parameters: Mapping[str, Parameter]) -> dict[str, Param]:
    """The Params of a DAG, by name."""
    return {name: _param(name, parameter) for name, parameter in parameters.items()}


def cluster_default(name: str, otherwise: str) -> str:
    """A default that a cluster may set, as `WAKEE_DEFAULT_<NAME>` of the Airflow components."""
    return os.environ.get(f"WAKEE_DEFAULT_{name.upper()}", otherwise)


def _param(name: str, parameter: Parameter) -> Param:
    default = parameter.default
    if parameter.cluster_default:
        default = PARSERS[parameter.kind](cluster_default(name, str(default)))
    schema: dict[str, Any] = {
        "type": parameter.kind if parameter.default is not None else ["null", parameter.kind],
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "enum": list(parameter.choices) or None,
        "pattern": parameter.pattern,
        "format": parameter.format,
        "section": parameter.section,
    }
    given = {key: value for key, value in schema.items() if value is not None}
    return Param(default, title=parameter.title, description=parameter.description, **given)
