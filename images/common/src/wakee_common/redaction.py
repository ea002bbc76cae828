"""Redaction of the process's secrets, in every encoding in which they may appear.

Everything that a process prints, stores or sends passes through `redact`: log lines, causes, results, reports. A secret
is the value of a variable whose name matches `NAMED_SECRET`, or the user and password of an address.
"""

import functools
import html
import json
import os
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, quote_plus, unquote

STARS = "***"
NAMED_SECRET = re.compile(r"(TOKEN|SECRET|PASSWORD|PASSWD|API_KEY|ACCESS_KEY|ACCESS_KEY_ID|PRIVATE_KEY|WEBHOOK)$")
ADDRESS = re.compile(r"^\s*[\"']?([a-z][a-z0-9+.-]*)://(.*)@([^@]*)$", re.DOTALL | re.IGNORECASE)
"""Groups: scheme, user and password, and the rest after the last `@`, which separates the password from the host."""
USER_AND_PASSWORD = re.compile(r"\b([a-zA-Z][a-zA-Z0-9+.-]{0,30}://)[^\s/:@\"']*:[^\s/\"']*@")
OWN_ADDRESS = re.compile(r"r2://\S+")
SEPARATORS = re.compile(r"[:/@?]+")
SHORTEST_SUBSTRING = 4
"""A shorter secret, or a part of one, is replaced only as a whole word, because it may occur in other words."""


def redact(text: str) -> str:
    """Replace secrets by `***`."""
    for pattern in _patterns(tuple(_variables())):
        text = pattern.sub(STARS, text)
    return USER_AND_PASSWORD.sub(rf"\1{STARS}@", text)


def redacted(value: Any) -> Any:
    """Redact all texts in a JSON value, except keys and `r2://` addresses.

    A password may happen to be part of such an address, and the next stage needs the address unchanged.
    """
    if isinstance(value, str):
        return value if OWN_ADDRESS.fullmatch(value) else redact(value)
    if isinstance(value, dict):
        return {key: redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item) for item in value]
    return value


def _variables() -> Iterator[tuple[str, bool]]:
    """Yield the values of variables that are or contain a secret, and whether each is an address."""
    for name, value in os.environ.items():
        is_address = ADDRESS.match(value) is not None
        if value.strip() and (is_address or NAMED_SECRET.search(name.upper()) or name == "NEON_DATABASE_URL"):
            yield value, is_address


@functools.lru_cache(maxsize=4)
def _patterns(variables: tuple[tuple[str, bool], ...]) -> list[re.Pattern[str]]:
    """Return the patterns of all secrets, the longest of each kind first."""
    whole, pieces, hosts = set[str](), set[str](), set[str]()
    for value, is_address in variables:
        whole |= set(_spellings(value))
        if is_address:
            password, host = _password_and_host(value)
            whole |= set(_spellings(password))
            pieces |= {text for piece in SEPARATORS.split(password) for text in _spellings(piece)}
            hosts.add(host)
    substrings = {text for text in whole if len(text) >= SHORTEST_SUBSTRING}
    alone = (whole | pieces) - substrings - {""}
    return [
        *(re.compile(re.escape(text)) for text in sorted(substrings, key=len, reverse=True)),
        *(re.compile(rf"(?<![^\s\"'/])[^\s\"'/]*@(?={re.escape(host)})") for host in hosts if host),
        *(re.compile(_alone(text)) for text in sorted(alone, key=len, reverse=True)),
    ]


def _alone(text: str) -> str:
    """Return a pattern for a text that is not part of a word; a single character must be in quotes."""
    before, after = ("(?<=[\"'])", "(?=[\"'])") if len(text) == 1 else (r"(?<![\w-])", r"(?![\w-])")
    return f"{before}{re.escape(text)}{after}"


def _password_and_host(address: str) -> tuple[str, str]:
    """Return the password of an address (the user if there is no password), and the host.

    If a password has an unescaped `@`, `/`, `:` or `?`, libraries take a part of it for host, port, path or query and
    repeat that part in their messages. So the parts are redacted as well, and everything before `@host`.
    """
    found = ADDRESS.match(address)
    if found is None:
        return "", ""
    user, colon, password = found[2].partition(":")
    return password if colon else user, re.split(r"[/?#:\s\"']", found[3], maxsplit=1)[0]


def _spellings(secret: str) -> Iterator[str]:
    """Yield the forms in which a secret may appear: as it is, without blanks or quotes around it, encoded, escaped."""
    bare = secret.strip()
    for text in {secret, bare, bare.strip("\"'"), *bare.split("\n")}:
        for written in (text, unquote(text)):
            yield from (written, quote(written), quote(written, safe=""), quote_plus(written), html.escape(written))
            yield from (json.dumps(written)[1:-1], json.dumps(written, ensure_ascii=False)[1:-1], repr(written)[1:-1])
