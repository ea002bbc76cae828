"""Cluster-specific settings of the stage pods, read from the environment of the Airflow components."""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


class VariableError(ValueError):
    """A variable of the Airflow components has an invalid value. Airflow shows it as an import error of the DAG."""


def parsed(name: str, default: str, parse: Callable[[str], T], form: str) -> T:
    """Return the parsed value of a variable; an empty one counts as unset.

    Args:
        name: Full name of the variable.
        default: Value if it is unset.
        parse: Parses the text; raises `ValueError` if it is invalid.
        form: Expected form of the text, for the message.

    Raises:
        VariableError: the text is invalid.
    """
    text = os.environ.get(name, "").strip() or default
    try:
        return parse(text)
    except ValueError:
        raise VariableError(f"Cannot read {name}: {text!r} is not {form}. Correct it, or unset it.") from None


def number(name: str, default: str) -> int:
    """Return the value of a variable that is a non-negative integer."""
    return parsed(name, default, _count, "a whole number")


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError(text)
    return int(text)


def _mapping(text: str) -> dict[str, str]:
    found = json.loads(text)
    if not isinstance(found, dict) or not all(isinstance(value, str) for value in found.values()):
        raise ValueError(text)
    return found


def _variable(name: str, default: str) -> str:
    return parsed(f"WAKEE_{name}", default, str, "a text")


def _number(name: str, default: str) -> int:
    return number(f"WAKEE_{name}", default)


def _selector(name: str, default: str) -> dict[str, str]:
    return parsed(f"WAKEE_{name}", default, _mapping, 'a JSON object of texts, e.g. {"accelerator": "a10"}')


@dataclass(frozen=True)
class PipelineConfig:
    """Settings of the stage pods; each field is the variable `WAKEE_<FIELD>` in upper case."""

    namespace: str = field(default_factory=lambda: _variable("NAMESPACE", "wakee"))
    version: str = field(default_factory=lambda: _variable("VERSION", "0.1.0"))
    secret_name: str = field(default_factory=lambda: _variable("SECRET_NAME", "wakee-secrets"))
    config_name: str = field(default_factory=lambda: _variable("CONFIG_NAME", "wakee-config"))
    service_account: str = field(default_factory=lambda: _variable("SERVICE_ACCOUNT", "wakee-stage"))
    priority_class: str = field(default_factory=lambda: _variable("PRIORITY_CLASS", "wakee-stage"))
    image_pull_secret: str = field(default_factory=lambda: _variable("IMAGE_PULL_SECRET", ""))
    disruption_budget: int = field(default_factory=lambda: _number("DISRUPTION_BUDGET", "5"))
    gpu_count: int = field(default_factory=lambda: _number("GPU_COUNT", "0"))
    gpu_resource: str = field(default_factory=lambda: _variable("GPU_RESOURCE", "nvidia.com/gpu"))
    gpu_node_selector: dict[str, str] = field(default_factory=lambda: _selector("GPU_NODE_SELECTOR", "{}"))
    gpu_wait_seconds: int = field(default_factory=lambda: _number("GPU_WAIT_SECONDS", "1800"))

    def image(self, name: str) -> str:
        """Return the image of one of our stage packages, from `WAKEE_<NAME>_IMAGE`."""
        return _variable(f"{name.upper()}_IMAGE", f"localhost/wakee/{name}:unset")
