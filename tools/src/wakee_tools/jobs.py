"""Commands that run side by side and end together."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence

from wakee_tools.shell import ToolError

INTERVAL_SECONDS, GRACE_SECONDS = 0.2, 10.0


def run_together(*commands: Sequence[str]) -> None:
    """Run commands side by side to their end.

    Each is the first process of a session, hence of a process group of its own. When one fails, or this process is
    interrupted, the others end with everything that they started.

    Raises:
        ToolError: one failed.
    """
    jobs: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            jobs.append(subprocess.Popen(command, start_new_session=True))  # noqa: PERF401 - known to `finally` at once
        _wait(jobs)
    finally:
        for job in jobs:
            end_group(job)


def _wait(jobs: list[subprocess.Popen[bytes]]) -> None:
    """Return when all have succeeded, raise as soon as one has failed."""
    while True:
        codes = [job.poll() for job in jobs]
        for job, code in zip(jobs, codes, strict=True):
            if code:
                raise ToolError(f"{' '.join(map(str, job.args))} ended with {code}: the lines above say why.")  # type: ignore[arg-type]
        if None not in codes:
            return
        time.sleep(INTERVAL_SECONDS)


def end_group(job: subprocess.Popen[bytes]) -> None:
    """End a process and everything in its group: first asked, after a while killed."""
    _signal_group(job.pid, signal.SIGTERM)
    try:
        job.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal_group(job.pid, signal.SIGKILL)
        job.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    """The group may be gone (ProcessLookupError), on macOS also when only a zombie is left of it (PermissionError)."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
