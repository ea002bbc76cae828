#!/usr/bin/env python3
"""Add up the JUnit files of a folder; print failures, and one closing line."""

import sys
import xml.etree.ElementTree as ET
from pathlib import Path

cases = [case for path in sorted(Path(sys.argv[1]).glob("*.xml")) for case in ET.parse(path).iter("testcase")]  # noqa: S314
failed = [case for case in cases if case.find("failure") is not None or case.find("error") is not None]
skipped = [case for case in cases if case.find("skipped") is not None]
for case in failed:
    print(f"FAILED {case.get('classname')}::{case.get('name')}")
for case in skipped:
    print(f"SKIPPED {case.get('classname')}::{case.get('name')}: {case.find('skipped').get('message')}")
passed = len(cases) - len(failed) - len(skipped)
if cases:
    print(f"{passed} passed, {len(failed)} failed, {len(skipped)} skipped")
