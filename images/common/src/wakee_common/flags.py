"""Flags of the stages' commands, generated from the parameters of the contract."""

from collections.abc import Callable
from typing import Any

import typer
from wakee_contract.parameter import Parameter


def option(parameter: Parameter, **other: Any) -> Any:
    """Return a Typer option with the parameter's description, and its range or choices.

    Args:
        parameter: The parameter. The command itself sets the default, as `parameter.default`.
        other: Typer settings that override those of the parameter, e.g. `min=1`.
    """
    if parameter.choices:
        metavar = f"[{'|'.join(parameter.choices)}]"
        return typer.Option(help=parameter.description, metavar=metavar, callback=_one_of(parameter.choices), **other)
    limits = {"min": parameter.minimum, "max": parameter.maximum}
    return typer.Option(help=parameter.description, **limits | other)


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in choices:
            raise typer.BadParameter(f"{value!r} is not one of {', '.join(choices)}.")
        return value

    return check
