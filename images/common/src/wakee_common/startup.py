"""Retry connections that are refused in the first seconds of a process (startup).

Network policies take effect on a new pod 0.2 to 2.7 s after it starts (measured on kind). Until then other pods refuse
its connections, because their policies do not include it yet, and its own policies are not enforced.
"""

import logging
import os
import time
from collections.abc import Callable
from errno import ECONNREFUSED
from typing import ParamSpec, TypeVar

from pydantic import Field

from wakee_common.settings import Settings, load

logger = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")

PAUSE_SECONDS = 0.5
REFUSED = os.strerror(ECONNREFUSED)
"""libpq, and so both PostgreSQL drivers, report the error as text only."""

_start = time.monotonic()
_retries_allowed = True


class StartupSettings(Settings):
    """How long a new pod retries refused connections."""

    retry_seconds: float = Field(
        15,
        ge=0,
        alias="WAKEE_STARTUP_RETRY_SECONDS",
        description=(
            "A refused connection is retried until the stage's process is this many seconds old: network policies "
            "apply to a new pod after a delay. 0: no retries."
        ),
    )


def process_age() -> float:
    """Return the seconds since this module was imported, which every command does when it starts."""
    return time.monotonic() - _start


def wait_for_policies(age: float) -> None:
    """Sleep until the process is `age` seconds old. SIGTERM interrupts the wait like the rest of the stage.

    A check of the network policies must call it before its first connection. A connection that was opened before the
    policies took effect would stay open, even if they do not allow it.
    """
    if (left := age - process_age()) > 0:
        logger.info("waiting %.1f s for the network policies of a new pod", left)
        time.sleep(left)


def allow_retries(allowed: bool) -> None:
    """Set whether refused connections may be retried. An interrupted stage does not wait for them.

    Safe in a signal handler.
    """
    global _retries_allowed
    _retries_allowed = allowed


def retry_refused(call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """Call a function, with retries every half second while the connection is refused during startup.

    Args:
        call: Must open a connection before it does anything else, so that a retry repeats nothing.
        args: Positional arguments of the call.
        kwargs: Keyword arguments of the call.

    Returns:
        The call's return value. Other errors, and refused connections after startup, are raised unchanged.
    """
    logged = False
    while True:
        try:
            return call(*args, **kwargs)
        except Exception as error:
            if not refused_at_startup(error):
                raise
            if not logged:
                logger.info("connection refused in the first seconds, retrying: %s", " ".join(str(error).split()))
            logged = True
        time.sleep(PAUSE_SECONDS)


def refused_at_startup(error: BaseException | None) -> bool:
    """Return whether the error is a refused connection that may still be retried.

    Raises:
        ConfigurationError: `WAKEE_STARTUP_RETRY_SECONDS` is wrong.
    """
    return _retries_allowed and is_refused(error) and process_age() < load(StartupSettings).retry_seconds


def is_refused(error: BaseException | None) -> bool:
    """Return whether the error, or one that it wraps, is a refused connection."""
    if error is None:
        return False
    if isinstance(error, ConnectionRefusedError) or REFUSED in str(error):
        return True
    grouped = error.exceptions if isinstance(error, BaseExceptionGroup) else ()
    return any(map(is_refused, (error.__cause__ or error.__context__, *grouped)))
