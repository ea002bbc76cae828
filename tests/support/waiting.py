"""Wait for a condition with a deadline."""

import time
from collections.abc import Callable


def wait_for(
    condition: Callable[[], object],
    seconds: float,
    what: str,
    every: float = 0.2,
    tolerated: tuple[type[Exception], ...] = (),
) -> object:
    """Poll every `every` seconds until the condition holds, and return its result.

    Raises:
        AssertionError: the deadline passed; its cause is the last tolerated exception of the condition.
    """
    deadline, cause = time.monotonic() + seconds, None
    while time.monotonic() < deadline:
        try:
            if found := condition():
                return found
        except tolerated as error:
            cause = error
        time.sleep(every)
    raise AssertionError(f"{what}: not within {seconds:g} s") from cause
