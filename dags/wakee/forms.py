"""Trigger forms, generated from the parameters of the contract."""

from collections.abc import Mapping
from typing import Any

from airflow.sdk import Param
from wakee_contract.parameter import Parameter

from wakee.config import number, parsed

PREFIX = "WAKEE_DEFAULT_"


def form(parameters: Mapping[str, Parameter]) -> dict[str, Param]:
    """Return the Params of a DAG, by name."""
    return {name: _param(name, parameter) for name, parameter in parameters.items()}


def training_hours() -> int:
    """Return the time limit of one attempt of `fine_tune` in hours, without the wait for a GPU."""
    return number(f"{PREFIX}TRAINING_HOURS", "12")


def _cluster_default(name: str, parameter: Parameter) -> Any:
    """Return the default of a parameter, which `WAKEE_DEFAULT_<NAME>` of the Airflow components may override.

    Raises:
        VariableError: the form would not accept the value.
    """

    def parse(text: str) -> Any:
        value = {"integer": int, "number": float, "string": str}[parameter.kind](text)
        low, high = parameter.minimum, parameter.maximum
        if parameter.choices and value not in parameter.choices:
            raise ValueError(text)
        if (low is not None and not low <= value) or (high is not None and not value <= high):
            raise ValueError(text)
        return value

    return parsed(f"{PREFIX}{name.upper()}", str(parameter.default), parse, _form(parameter))


def _form(parameter: Parameter) -> str:
    if parameter.choices:
        return f"one of {', '.join(parameter.choices)}"
    limits = "" if parameter.minimum is None else f" from {parameter.minimum:g} to {parameter.maximum:g}"
    return {"integer": "a whole number", "number": "a number", "string": "a text"}[parameter.kind] + limits


def _param(name: str, parameter: Parameter) -> Param:
    default = _cluster_default(name, parameter) if parameter.cluster_default else parameter.default
    schema: dict[str, Any] = {
        "type": parameter.kind if parameter.default is not None else ["null", parameter.kind],
        "minimum": parameter.minimum,
        "maximum": parameter.maximum,
        "enum": list(parameter.choices) or None,
        "pattern": parameter.pattern,
        "maxLength": parameter.longest,
        "format": parameter.format,
        "section": parameter.section,
    }
    given = {key: value for key, value in schema.items() if value is not None}
    return Param(default, title=parameter.title, description=parameter.description, **given)
