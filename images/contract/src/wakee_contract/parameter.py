"""What a parameter of a run consists of."""

from dataclasses import dataclass
from typing import Any, Final, Literal

WHOLE: Final = r"$(?!\n)"
"""End of a pattern that matches a whole text, both in Python (the server) and in JavaScript (the form).

In Python, `$` alone also matches before a line break at the end.
"""


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes:
        kind: Type of its values, as JSON Schema names it.
        default: Default value; None if the field may be left empty.
        title: Label in the form.
        description: Explanation for the form and for `--help`.
        minimum: Lowest value, inclusive.
        maximum: Highest value, inclusive.
        choices: The only valid values; empty: any value.
        pattern: Regular expression for the whole text; ends with `WHOLE`.
        longest: Maximum length of a text, in characters.
        format: JSON Schema's format of a text, e.g. `date`.
        section: Section of the form.
        cluster_default: Whether `WAKEE_DEFAULT_<NAME>` of Airflow's components may override the default.
    """

    kind: Literal["integer", "number", "boolean", "string"]
    default: Any
    title: str
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    pattern: str | None = None
    longest: int | None = None
    format: str | None = None
    section: str | None = None
    cluster_default: bool = False
