"""`run-pytest-suite`: run the suite of the image against the live services, with reports in R2."""

import html
import logging
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from wakee_common.errors import UnavailableError, WakeeError, one_line
from wakee_common.files import workspace
from wakee_common.redaction import redact
from wakee_common.settings import R2Settings, RunContext, load
from wakee_common.storage import ObjectStore

from wakee_health.errors import FailedTestsError
from wakee_health.pages import render
from wakee_health.results import SuiteResult

logger = logging.getLogger(__name__)

SUITE = Path(__file__).parent
LONGEST_SECONDS = 600
RAN = (0, 1)
"""Exit codes of pytest if the tests ran: all passed, or some failed."""
NAMED_FAILURES = 8
OPTIONS = ("-q", "-ra", "--color=no", "--tb=short", "-p", "no:cacheprovider", "--import-mode=importlib")


@dataclass(frozen=True)
class TestCase:
    """One test and its outcome."""

    __test__ = False

    module: str
    name: str
    outcome: str
    seconds: float
    message: str

    @property
    def title(self) -> str:
        """The test's name, with its module."""
        return f"{self.module}::{self.name}"


def command(arguments: list[str]) -> list[str]:
    """Return the command line that runs the suite. It writes no bytecode or cache files."""
    root = (f"--rootdir={SUITE}", f"--confcutdir={SUITE}")  # ignore configuration above the suite
    return [sys.executable, "-B", "-m", "pytest", "-c", os.devnull, *root, *OPTIONS, *arguments]


def by_hand(arguments: list[str]) -> int:
    """Run the suite in the terminal; return pytest's exit code."""
    paths = [] if any((SUITE / argument.partition("::")[0]).exists() for argument in arguments) else [str(SUITE)]
    return subprocess.run(command([*paths, *arguments]), cwd=SUITE, check=False).returncode


def run(context: RunContext) -> SuiteResult:
    """Run the suite and write its reports to R2.

    Raises:
        FailedTestsError: tests failed. The message has their number and names.
        UnavailableError: pytest could not run the tests, or not within ten minutes.
    """
    with workspace() as scratch:
        junit = scratch / "junit.xml"
        text = _run_pytest(junit)
        junit.write_text(redact(junit.read_text()))
        cases = read_junit(junit)
        junit_uri, html_uri, warnings = _keep(context, junit.read_bytes(), page(context, cases, text))
    counts = Counter(case.outcome for case in cases)
    failures = [case.title for case in cases if case.outcome in ("failed", "error")]
    if failures:
        raise FailedTestsError(_cause(failures, len(cases), html_uri))
    if not cases:
        raise UnavailableError("pytest found no tests")
    return SuiteResult(
        tests=len(cases),
        passed=counts["passed"],
        skipped=counts["skipped"],
        seconds_of_tests=round(sum(case.seconds for case in cases), 2),
        junit_uri=junit_uri,
        html_uri=html_uri,
        warnings=warnings,
    )


def read_junit(path: Path) -> list[TestCase]:
    """Read the tests of a JUnit XML file."""
    return [_case(element) for element in ET.parse(path).getroot().iter("testcase")]  # noqa: S314


def page(context: RunContext, cases: list[TestCase], text: str) -> bytes:
    """Return the report as one HTML file."""
    counts = Counter(case.outcome for case in cases)
    return render("suite.html.j2", context=context, cases=cases, counts=counts, text=text).encode()


def _run_pytest(junit: Path) -> str:
    try:
        done = subprocess.run(
            command([str(SUITE), f"--junitxml={junit}"]),
            cwd=junit.parent,
            env={**os.environ, "TMPDIR": str(junit.parent)},
            capture_output=True,
            text=True,
            timeout=LONGEST_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise UnavailableError(f"the tests did not finish within {LONGEST_SECONDS} s") from None
    text = redact(done.stdout + done.stderr)
    for line in text.splitlines():
        logger.info("%s", line)
    if done.returncode not in RAN or not junit.exists():
        last = one_line((text.strip().splitlines() or ["no message"])[-1])
        raise UnavailableError(f"pytest could not run the tests (exit code {done.returncode}): {last}")
    return text


def _case(element: ET.Element) -> TestCase:
    found = [child for child in element if child.tag in ("failure", "error", "skipped")]
    outcome = {"failure": "failed", "error": "error", "skipped": "skipped"}[found[0].tag] if found else "passed"
    message = one_line(html.unescape(found[0].get("message", ""))) if found else ""
    module = element.get("classname", "").rpartition(".")[2] + ".py"
    return TestCase(module, element.get("name", ""), outcome, float(element.get("time", 0)), message)


def _keep(context: RunContext, junit: bytes, report: bytes) -> tuple[str, str, list[str]]:
    """Write the reports to R2. If that fails, return a warning: the log has the same output."""
    try:
        store = ObjectStore(load(R2Settings))
        folder = context.folder(store.root)
        store.put_bytes(folder / "junit.xml", junit, "application/xml")
        store.put_bytes(folder / "report.html", report, "text/html; charset=utf-8")
    except WakeeError as error:
        logger.warning("cannot write the test reports to R2: %s", error)
        return "", "", [f"cannot write the test reports to R2: {one_line(error, 150)}"]
    return str(folder / "junit.xml"), str(folder / "report.html"), []


def _cause(failures: list[str], tests: int, html_uri: str) -> str:
    named = ", ".join(failures[:NAMED_FAILURES])
    more = f" and {len(failures) - NAMED_FAILURES} more" if len(failures) > NAMED_FAILURES else ""
    return f"{len(failures)} of {tests} tests failed: {named}{more}" + (f"; report: {html_uri}" if html_uri else "")
