"""Report known vulnerabilities of all packages in the lock files. For a schedule (nightly CI)."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from enum import IntEnum
from pathlib import Path
from typing import Any

from wakee_tools.paths import REPO
from wakee_tools.shell import ToolError, answer, last_lines, print_error, print_lines

PIP_AUDIT = "pip-audit==2.10.1"
LOCKS = (
    *(f"images/{name}/requirements.lock" for name in ("airflow", "drift", "health", "sandbox", "sbom")),
    "images/train/requirements-cuda.lock",
    "tools/requirements.lock",
)
KNOWN = "jinja2==2.10"
"""A package with a well-known vulnerability, to test the service."""


class Verdict(IntEnum):
    """The result of the audit, as an exit code."""

    NONE_KNOWN = 0
    SOME_KNOWN = 1
    NOT_AUDITED = 3


def audit() -> Verdict:
    """Query the vulnerability service SERVICE (pypi or osv) for every lock file, and print the results."""
    service = os.environ.get("SERVICE") or "pypi"
    if cause := silence_of(service):
        print_lines(cause)
        print_error(
            ToolError(f"The vulnerability service ({service}) is not reachable from here. Nothing was audited.")
        )
        return Verdict.NOT_AUDITED
    clean = [_audit_lock(service, lock) for lock in LOCKS]
    return Verdict.NONE_KNOWN if all(clean) else Verdict.SOME_KNOWN


def silence_of(service: str) -> str:
    """pip-audit's error if the service does not work; empty if it does.

    A package mirror without vulnerability data would report nothing, so the service is queried for a known one.
    """
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "known.txt"
        requirements.write_text(f"{KNOWN}\n")
        done = _pip_audit(service, "--no-deps", "--disable-pip", "-r", str(requirements))
    return (
        ""
        if '"id"' in done.stdout
        else last_lines(done.stderr, 2) or "pip-audit does not find a vulnerability in " + KNOWN
    )


def _audit_lock(service: str, lock: str) -> bool:
    """Print the known vulnerabilities of a lock file. Returns whether there are none."""
    done = _pip_audit(service, "--require-hashes", "--no-deps", "--disable-pip", "-r", str(REPO / lock))
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except ValueError as error:
        raise ToolError(f"Cannot audit {lock}: {last_lines(done.stderr, 2)}. Run this again.") from error
    for line in report(lock, packages):
        print(line, flush=True)
    return done.returncode == 0


def report(lock: str, packages: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line with counts, and one for each vulnerability.

    Args:
        lock: The lock file's name.
        packages: The packages in pip-audit's output.
    """
    unknown = sum("skip_reason" in package for package in packages)
    yield f"{lock}: {len(packages)} packages, {unknown} unknown to the service"
    for package in packages:
        for vulnerability in package.get("vulns", []):
            fixed = ", ".join(vulnerability["fix_versions"]) or "no version yet"
            yield f"  {package['name']} {package['version']}: {vulnerability['id']}, fixed in {fixed}"


def _pip_audit(service: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    options = ("--vulnerability-service", service, "--progress-spinner", "off", "--format", "json", "--timeout", "10")
    return answer("uv", "tool", "run", "-q", "--from", PIP_AUDIT, "pip-audit", *options, *arguments)
