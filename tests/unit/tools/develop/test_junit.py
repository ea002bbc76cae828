"""The closing lines of `make test`."""

import xml.etree.ElementTree as ET

from wakee_tools.develop.junit import summary

REPORT = """<testsuite>
<testcase classname="a" name="passes"/>
<testcase classname="a" name="fails"><failure message="x"/></testcase>
<testcase classname="a" name="breaks"><error message="x"/></testcase>
<testcase classname="a" name="waits"><skipped message="no chart"/></testcase>
</testsuite>"""


def test_failures_and_skips_are_named_and_counted():
    cases = list(ET.fromstring(REPORT).iter("testcase"))  # noqa: S314
    assert list(summary(cases)) == [
        "FAILED a::fails",
        "FAILED a::breaks",
        "SKIPPED a::waits: no chart",
        "1 passed, 2 failed, 1 skipped",
    ]


def test_without_tests_there_is_nothing_to_say():
    assert list(summary([])) == []
