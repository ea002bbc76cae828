"""Mutual exclusion of processes and threads."""

import contextlib
import fcntl
from collections.abc import Iterator

from wakee_tools.paths import CACHE


@contextlib.contextmanager
def alone(work: str) -> Iterator[None]:
    """Wait until no other process or thread of this user holds the lock for this work, and hold it."""
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{work}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
