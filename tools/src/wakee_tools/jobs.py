"""Run commands concurrently, and stop all of them if one fails."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Sequence

from wakee_tools.shell import ToolError

INTERVAL_SECONDS, GRACE_SECONDS = 0.2, 10.0


def run_together(*commands: Sequence[str]) -> None:
    """Run commands concurrently, and wait for all of them.

    Each command gets its own session, and therefore its own process group. If one fails, or this process is
    interrupted, the others are stopped with all their child processes.

    Raises:
        ToolError: a command failed.
    """
    jobs: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:
            jobs.append(subprocess.Popen(command, start_new_session=True))  # noqa: PERF401 - `finally` must know each job at once
        _wait(jobs)
    finally:
        for job in jobs:
            end_group(job)


def _wait(jobs: list[subprocess.Popen[bytes]]) -> None:
    """Wait until all have succeeded. Raises as soon as one has failed."""
    while True:
        codes = [job.poll() for job in jobs]
        for job, code in zip(jobs, codes, strict=True):
            if code:
                command = " ".join(map(str, job.args))  # type: ignore[arg-type]
                raise ToolError(f"{command} failed with exit code {code}. See the lines above for the cause.")
        if None not in codes:
            return
        time.sleep(INTERVAL_SECONDS)


def end_group(job: subprocess.Popen[bytes]) -> None:
    """Stop a process and its whole group: first by SIGTERM, after a timeout by SIGKILL."""
    _signal_group(job.pid, signal.SIGTERM)
    try:
        job.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal_group(job.pid, signal.SIGKILL)
        job.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    """Send a signal. The group may have ended (ProcessLookupError; on macOS, PermissionError if it is a zombie)."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
