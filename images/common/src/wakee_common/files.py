"""Files on the local disk."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def workspace() -> Iterator[Path]:
    """Yield an empty temporary folder, which is deleted on exit."""
    with tempfile.TemporaryDirectory(prefix="wakee-") as folder:
        yield Path(folder)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 digest of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
