"""Files on the local disk."""

import hashlib
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def workspace() -> Iterator[Path]:
    """An empty folder of our own, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="wakee-") as folder:
        yield Path(folder)


def sha256_of(path: Path) -> str:
    """Digest of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
