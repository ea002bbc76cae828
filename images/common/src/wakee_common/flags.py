"""Flags of the stages' commands, made from the parameters of the contract."""

from collections.abc import Callable
from typing import Any

import typer
from wakee_contract.parameters import Parameter


def option(parameter: Parameter, **other: Any) -> Any:
    """A Typer option with the parameter's description, and its range or choices.

    Args:
        parameter: The parameter; its default is the command's to state, as `parameter.default`.
        other: What the command does otherwise than the form, e.g. `min=1`.
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
