"""The services of the sandbox as processes.

They run in the sandbox's virtual environment, `.venvs/sandbox` (tools/bootstrap.py sandbox).
"""

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from support.waiting import wait_for

REPO = Path(__file__).parents[2]
PROGRAM = REPO / ".venvs" / "sandbox" / "bin" / "wakee-sandbox"
HUB_TOKEN = "hf_sandbox"
READER, STRANGER, BLIND = "hf_reader", "hf_stranger", "hf_blind"
HUB_ACCOUNTS = {
    READER: {"user": "reader", "role": "read", "everywhere": True},
    STRANGER: {"user": "stranger"},
    BLIND: {"user": "blind", "everywhere": True, "sees_private": False},
}
"""Other tokens of the Hub double: read-only; of another user; fine-grained without private repositories."""
START_SECONDS, STOP_SECONDS = 120, 30
INHERITED = ("PATH", "HOME", "LANG", "OMP_NUM_THREADS")


def inherited_variables() -> dict[str, str]:
    """The environment variables of this process that its services and stages inherit."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def responds(url: str) -> bool:
    """Whether a GET request to a URL returns 200."""
    address = urlsplit(url)
    with (
        contextlib.suppress(OSError, HTTPException),
        contextlib.closing(HTTPConnection(address.netloc, timeout=2)) as client,
    ):
        client.request("GET", address.path)
        return client.getresponse().status == 200
    return False


@dataclass
class Service:
    """One `wakee-sandbox` command in its own process group, as in a pod.

    Attributes:
        arguments: The command and its options.
        environment: All environment variables of the process.
        log: The file for its output.
        program: The program before the arguments.
    """

    arguments: list[str]
    environment: dict[str, str]
    log: Path
    program: Sequence[str] = (str(PROGRAM),)
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> "Service":
        """Start the service without waiting until it responds."""
        assert Path(self.program[-1]).exists(), "tools/bootstrap.py sandbox makes the environment that these tests need"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*self.program, *self.arguments],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        return self

    def wait_until(self, condition: Callable[[], object], what: str) -> "Service":
        """Poll until the condition holds. Fails immediately, with the log, if the process has ended."""

        def alive_and_true() -> object:
            if self.process is None or self.process.poll() is not None:
                pytest.fail(f"{self.arguments[0]} ended early:\n{self.log.read_text()[-3000:]}")
            return condition()

        wait_for(alive_and_true, START_SECONDS, what, every=0.1, tolerated=(Exception,))
        return self

    def wait_for_answer(self, url: str) -> "Service":
        """Poll a URL until it returns 200."""
        return self.wait_until(lambda: responds(url), f"{self.arguments[0]} answers")

    def stop(self, how: int = signal.SIGTERM) -> None:
        """Stop the whole process group, as when a pod ends."""
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, how)
        try:
            self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(STOP_SECONDS)
        self.process = None
