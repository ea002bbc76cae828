"""Run programs, check their results, and wait for conditions."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

LAST_CHARACTERS = 4000
INTERVAL_SECONDS = 0.3
REMEDIES = {
    "docker": "Install Docker and start it, or set WAKEE_CLUSTER=debian (as root, on Debian 12).",
    "git": "Install git.",
    "helm": "Run 'make tools', or install Helm 4.",
    "kind": "Install kind (https://kind.sigs.k8s.io/docs/user/quick-start/#installation).",
    "kubectl": "Run 'make tools', or install kubectl 1.34.",
    "uv": "Run 'make tools'.",
}
console = Console(width=120)


class ToolError(Exception):
    """A command cannot do its work. The message: `<what failed>: <cause>. <remedy>`."""


def say(text: str) -> None:
    """Print one line of progress, on stderr."""
    print(f"\033[1;36m==>\033[0m {text}", file=sys.stderr, flush=True)


def print_lines(text: str) -> None:
    """Print the output of a program on stderr, unless it is empty."""
    if text.strip():
        print(text.strip(), file=sys.stderr, flush=True)


def print_error(error: ToolError) -> None:
    """Print the error that ends a command, on stderr."""
    print(f"\033[1;31merror:\033[0m {error}", file=sys.stderr, flush=True)


def answer(*command: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command and return its exit code and output, whatever the exit code.

    Args:
        command: The program and its arguments.
        text: Its standard input.

    Raises:
        ToolError: the program is not installed.
    """
    return _run(command, input=text, capture_output=True)


def output(
    *command: str,
    text: str | None = None,
    quiet: bool = False,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run a command and return its standard output, stripped of white space.

    Args:
        command: The program and its arguments.
        text: Its standard input.
        quiet: Return "" if the command fails.
        cwd: Its working directory.
        env: Its whole environment.

    Raises:
        ToolError: the program is not installed, or it failed. In the latter case, its last lines have been printed.
    """
    done = _run(command, input=text, capture_output=True, cwd=cwd, env=env)
    if done.returncode and quiet:
        return ""
    if done.returncode:
        print_lines((done.stdout + done.stderr)[-LAST_CHARACTERS:])
        raise _failure(command, done.returncode)
    return str(done.stdout).strip()


def call(*command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> None:
    """Run a command whose output goes to this terminal.

    Raises:
        ToolError: the program is not installed, or it failed.
    """
    if code := status(*command, cwd=cwd, env=env):
        raise _failure(command, code)


def status(*command: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> int:
    """Run a command whose output goes to this terminal, and return its exit code.

    On KeyboardInterrupt, this waits for the command, which may have to clean up.
    """
    sys.stdout.flush()
    with _starting(command):
        process = subprocess.Popen(command, cwd=cwd, env=env)
    try:
        return process.wait()
    except KeyboardInterrupt:  # the command receives SIGINT as well
        process.wait()
        raise
    except SystemExit:
        process.terminate()
        process.wait()
        raise


def succeeds(*command: str) -> bool:
    """Whether a command can be run and exits with 0."""
    return bool(shutil.which(command[0])) and subprocess.run(command, capture_output=True).returncode == 0


def _run(command: tuple[str, ...], **options: object) -> subprocess.CompletedProcess[str]:
    with _starting(command):
        return subprocess.run(command, text=True, **options)  # type: ignore[call-overload, no-any-return]


@contextmanager
def _starting(command: tuple[str, ...]) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        if error.filename != command[0]:
            raise
        name = Path(command[0]).name
        remedy = REMEDIES.get(name, f"Install {name}.")
        raise ToolError(f"Cannot run {name}: it is not installed. {remedy}") from error


def _failure(command: tuple[str, ...], code: int) -> ToolError:
    return ToolError(f"{' '.join(command[:4])} ... failed with exit code {code}. See the lines above for the cause.")


def last_lines(text: str, number: int) -> str:
    """The last lines of a program's output."""
    return "\n".join(text.strip().splitlines()[-number:])


@contextmanager
def timed(label: str) -> Iterator[None]:
    """Print the start of some work, and its duration at the end."""
    start = time.monotonic()
    say(label)
    yield
    say(f"{label}: {time.monotonic() - start:.0f} s")


def wait_until(seconds: float, what: str, ready: Callable[[], bool]) -> None:
    """Poll until a condition holds.

    Raises:
        ToolError: it does not hold after this time.
    """
    deadline = time.monotonic() + seconds
    while not ready():
        if time.monotonic() >= deadline:
            raise ToolError(f"Timed out after {seconds:g} s: {what}")
        time.sleep(INTERVAL_SECONDS)
