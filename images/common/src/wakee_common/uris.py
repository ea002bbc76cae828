"""`r2://bucket/key`, the form in which artefacts pass between stages."""

import re
from dataclasses import dataclass
from typing import Self

from wakee_common.errors import BadInputError

SCHEME = "r2://"


@dataclass(frozen=True)
class R2Uri:
    """The address of one object, or of a prefix when the key ends in a slash."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `r2://bucket/key`.

        Raises:
            BadInputError: another scheme, no bucket, no key, or a key with `..` in it.
        """
        bucket, slash, key = text.removeprefix(SCHEME).partition("/")
        if not text.startswith(SCHEME) or not (bucket and slash and key) or ".." in key.split("/"):
            raise BadInputError(f"not an R2 address: {text!r} (expected r2://bucket/key)")
        return cls(bucket, key)

    def __str__(self) -> str:
        return f"{SCHEME}{self.bucket}/{self.key}"

    def __truediv__(self, name: str) -> Self:
        """The object `name` under this prefix."""
        return type(self)(self.bucket, f"{self.key.rstrip('/')}/{name}")


def safe_segment(text: str) -> str:
    """One path segment of a key: everything but letters, digits, `.`, `_` and `-` becomes `-`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-") or "-"
