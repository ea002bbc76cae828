"""Replace this process by a server, with a lock per data directory."""

import fcntl
import logging
import os
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import which
from typing import NoReturn

from wakee_common.errors import ConfigurationError, UnavailableError

logger = logging.getLogger(__name__)

LOCK_DEADLINE = 30.0


def become(command: Sequence[str], environment: Mapping[str, str] | None = None) -> NoReturn:
    """Replace this process by `command`, so that signals reach the server itself."""
    logger.info("starting %s", Path(command[0]).name)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execvpe(command[0], list(command), {**os.environ, **(environment or {})})  # noqa: S606 - no shell is wanted


def installed_program(name: str) -> str:
    """Find a program in this Python environment or on the PATH.

    Raises:
        ConfigurationError: the program is in neither place.
    """
    own = Path(sys.executable).parent / name
    found = str(own) if own.exists() else which(name)
    if not found:
        raise ConfigurationError(f"the program {name!r} is not installed in this image")
    return found


def own_directory(directory: Path) -> None:
    """Lock a data directory for this process and the server that replaces it.

    The kernel releases the lock when the last of these processes has ended, for whatever reason.

    Raises:
        UnavailableError: another server still uses this directory after 30 s.
    """
    directory.mkdir(parents=True, exist_ok=True)
    handle = os.open(directory / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
    os.set_inheritable(handle, True)
    deadline = time.monotonic() + LOCK_DEADLINE
    while not _locked(handle):
        if time.monotonic() > deadline:
            raise UnavailableError(f"another server still uses {directory}")
        time.sleep(0.1)


def _locked(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
