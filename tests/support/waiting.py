"""Waiting with a deadline."""

import time
from collections.abc import Callable


def wait_for(condition: Callable[[], object], seconds: float, what: str, every: float = 0.2) -> object:
    """Poll every so many seconds until the condition holds, and return what it returned."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := condition():
            return found
        time.sleep(every)
    raise AssertionError(f"{what}: not within {seconds:g} s")
