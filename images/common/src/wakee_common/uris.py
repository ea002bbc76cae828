"""Addresses `r2://bucket/key`, by which stages refer to artefacts."""

import hashlib
import re
from dataclasses import dataclass
from typing import Self

from wakee_common.errors import BadInputError

SCHEME = "r2://"
LONGEST_SEGMENT = 150
"""Maximum length of a segment in characters: three segments with digests, and a file name, fit into a key."""
DIGEST_DIGITS = 10
ENDS_IN_DIGEST = re.compile(rf"(^|-)[0-9a-f]{{{DIGEST_DIGITS}}}\Z")


@dataclass(frozen=True)
class R2Uri:
    """The address of one object, or of a prefix when the key ends in a slash."""

    bucket: str
    key: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `r2://bucket/key`.

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
        """Return the address of `name` under this prefix."""
        prefix = f"{self.key.rstrip('/')}/" if self.key else ""
        return type(self)(self.bucket, prefix + name)


def safe_segment(text: str) -> str:
    """Return a path segment of a key that is unique for the text.

    Letters, digits, `.`, `_` and `-` are kept. If anything else is replaced or cut, or if the text ends like a digest,
    a digest of the whole text is appended.
    """
    safe = re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip(".-")[:LONGEST_SEGMENT]
    if safe == text and safe and not ENDS_IN_DIGEST.search(safe):
        return safe
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGEST_DIGITS]
    return f"{safe}-{digest}" if safe else digest
