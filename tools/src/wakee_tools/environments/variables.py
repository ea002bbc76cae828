"""The environment variables that stages and Airflow read, from docs/configuration.md (generated from the code)."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from wakee.resources import DEFAULTS, SETTINGS, variable
from wakee_tools.paths import REPO

STAGES, AIRFLOW = "## Stage pods", "## Airflow's components"
ROW = re.compile(r"^\| `([A-Z]\w+)` \| (.*?) \| (.*) \|$", re.MULTILINE)
SECRET = re.compile(r"\bSecret\.|is a secret\b")
SECRET_NAME = re.compile(r"(SECRET|TOKEN|PASSWORD|CREDENTIAL|ACCESS_KEY)")
CREDENTIALS = re.compile(r"://[^/@\s]+@")
"""User and password in an address."""
OF_ONE_STAGE = {variable(setting, stage): variable(setting) for setting in SETTINGS for stage in DEFAULTS}
"""The variable for all stages, by the same one for one stage: `WAKEE_STAGE_CPU` by `WAKEE_STAGE_CPU_FINE_TUNE`."""
IN_SECRET = {
    STAGES: "is secret: put it in the Secret wakee-secrets",
    AIRFLOW: "is secret: put it in the Secret airflow-connections",
}
OF_LIBRARIES = re.compile(r"(HF_HUB|MLFLOW_HTTP_REQUEST|AWS|OMP|TORCH|SSL|REQUESTS)_\w+|HTTPS?_PROXY|NO_PROXY")
"""Variables that libraries read, which the reference does not list."""
GIVEN_ELSEWHERE = re.compile(r"WAKEE_(\w+_IMAGE|NAMESPACE|GPU_\w+|IMAGE_PULL_SECRET)")
"""Variables that other keys of the settings file set."""


@dataclass(frozen=True)
class Variable:
    """A row of the reference."""

    name: str
    required: bool
    secret: bool


def known(part: str) -> dict[str, Variable]:
    """The variables of a part of the reference, by name.

    Args:
        part: The part's heading.
    """
    page = (REPO / "docs/configuration.md").read_text()
    text = page.partition(f"{part}\n")[2].partition("\n## ")[0]
    return {
        name: Variable(name, default == "required", bool(SECRET.search(what)))
        for name, default, what in ROW.findall(text)
    }


def checked(given: dict[str, str], part: str, *, complete: bool = False) -> dict[str, str]:
    """Return the variables unchanged.

    Args:
        given: Variables of a settings file.
        part: The part of the reference that lists them.
        complete: Whether the required ones must be there.

    Raises:
        ValueError: a variable is unknown, secret or missing. The message names all of them.
    """
    if faults := list(_faults(given, part, complete=complete)):
        raise ValueError("; ".join(faults))
    return given


def _faults(given: dict[str, str], part: str, *, complete: bool) -> Iterator[str]:
    listed = known(part)
    yield from (fault for name, value in given.items() if (fault := _fault(name, value, part, listed)))
    if complete:
        wanted = (each for each in listed.values() if each.required and not each.secret)
        yield from (f"{each.name} is missing" for each in wanted if not given.get(each.name))


def _fault(name: str, value: str, part: str, listed: dict[str, Variable]) -> str:
    """Why a variable cannot be in the settings file; empty if it can."""
    base = OF_ONE_STAGE.get(name, name)
    if GIVEN_ELSEWHERE.fullmatch(name):
        return f"{name} has a key of its own in this file"
    if CREDENTIALS.search(value):
        return f"{name} has a user or password in its address, which {IN_SECRET[part]}"
    if (base in listed and listed[base].secret) or (base not in listed and SECRET_NAME.search(name)):
        return f"{name} {IN_SECRET[part]}"
    if base in listed or OF_LIBRARIES.fullmatch(name):
        return ""
    near = difflib.get_close_matches(name, listed, 1)
    return f"{name} is unknown" + (f" (do you mean {near[0]}?)" if near else "")
