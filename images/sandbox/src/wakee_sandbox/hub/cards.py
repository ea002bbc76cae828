"""The YAML metadata at the top of a model card, parsed and validated as on the Hub."""

import json
import re
from typing import Any

import yaml

from wakee_sandbox.hub.licenses import LICENSES

Metadata = dict[str, Any]

BEGIN, END = "---\n", re.compile(r"^---[ \t]*$", re.MULTILINE)
MODEL_ID = re.compile(r"([\w.-]{1,96}/)?[\w.-]{1,96}")
LISTS = ("tags", "datasets", "metrics", "language", "base_model")
"""Fields that are a list of strings. Each except `tags` may also be one string."""


class InvalidCardError(ValueError):
    """The metadata of a card is invalid. The message gives the reason."""


def metadata(text: str) -> Metadata:
    """Parse the metadata of a card; empty if there is none.

    Raises:
        InvalidCardError: the metadata is not YAML, or not a mapping.
    """
    block = _block(text.replace("\r\n", "\n").replace("\r", "\n"))
    try:
        found = yaml.safe_load(block)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InvalidCardError(str(error)) from error
    if not isinstance(found, dict | None):
        raise InvalidCardError("the metadata is not a mapping")
    return _as_json(found or {})


def problems(text: str) -> list[str]:
    """List the reasons why the Hub rejects a card; empty if it is valid."""
    try:
        found = metadata(text)
    except InvalidCardError as error:
        return [str(error)]
    return [*_license_problems(found), *_list_problems(found), *_base_model_problems(found)]


def tags(found: Metadata) -> list[str]:
    """The tags that the Hub shows for a card: its own, and those derived from other fields."""
    named = [f"{name}:{value}" for name in ("license", "base_model") for value in texts(found.get(name))]
    plain = [value for name in ("library_name", "pipeline_tag") for value in texts(found.get(name))]
    return list(dict.fromkeys([*plain, *texts(found.get("tags")), *named]))


def texts(value: object) -> list[str]:
    """Convert one string or several to a list."""
    return [str(item) for item in (value if isinstance(value, list) else [value]) if item is not None]


def _as_json(found: dict[Any, Any]) -> Metadata:
    """Convert metadata to JSON-compatible values: dates, infinity and NaN become strings."""
    try:
        plain: Metadata = json.loads(json.dumps(found, default=str), parse_constant=str)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidCardError(f"the metadata cannot be represented as JSON: {error}") from error
    return plain


def _block(text: str) -> str:
    if not text.startswith(BEGIN):
        return ""
    return END.split(text.removeprefix(BEGIN), maxsplit=1)[0]


def _license_problems(found: Metadata) -> list[str]:
    unknown = [name for name in texts(found.get("license")) if name not in LICENSES]
    return [f'"license" must be one of [{", ".join(LICENSES)}], not {name!r}' for name in unknown]


def _list_problems(found: Metadata) -> list[str]:
    messages = []
    for name in LISTS:
        value = found.get(name)
        if value is None or (isinstance(value, str) and name != "tags"):
            continue
        if not isinstance(value, list):
            messages.append(f'"{name}" must be an array')
            continue
        messages += [f'"{name}[{at}]" must be a string' for at, item in enumerate(value) if not isinstance(item, str)]
    return messages


def _base_model_problems(found: Metadata) -> list[str]:
    wrong = [name for name in texts(found.get("base_model")) if not MODEL_ID.fullmatch(name)]
    return [f'"base_model" with value {name!r} is not valid: use a model id of the Hub' for name in wrong]
