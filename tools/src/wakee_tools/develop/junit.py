"""Summarize the JUnit files of a folder."""

import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path


def print_summary(folder: Path) -> None:
    """Print failed and skipped test cases, and a line of totals."""
    cases = [case for path in sorted(folder.glob("*.xml")) for case in ET.parse(path).iter("testcase")]  # noqa: S314
    for line in summary(cases):
        print(line, flush=True)


def summary(cases: list[ET.Element]) -> Iterator[str]:
    """Yield a line for each failed or skipped test case, then the totals if there are any test cases."""
    failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
    skipped = [case for case in cases if case.find("skipped") is not None]
    yield from (f"FAILED {_name(case)}" for case in failed)
    yield from (f"SKIPPED {_name(case)}: {_reason(case)}" for case in skipped)
    if cases:
        passed = len(cases) - len(failed) - len(skipped)
        yield f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped"


def _name(case: ET.Element) -> str:
    return f"{case.get('classname')}::{case.get('name')}"


def _reason(case: ET.Element) -> str:
    skipped = case.find("skipped")
    return "" if skipped is None else skipped.get("message", "")
