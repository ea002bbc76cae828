"""The checks of `health_check_weekly`: task ids in the order of the report, and the severity of each."""

from typing import Final, Literal

Severity = Literal["critical", "warning"]

CRITICAL: Final = "critical"
WARNING: Final = "warning"
SEVERITIES: Final = (CRITICAL, WARNING)

PROBES: Final = ("test_api", "test_database", "test_storage", "test_app_sourcing", "test_model_hub")
SUITE: Final = "run_pytest_suite"
SUMMARY: Final = "generate_summary"
CHECKS: Final = (*PROBES, SUITE)

DEFAULT_SEVERITY: Final[dict[str, Severity]] = {
    "test_api": CRITICAL,
    "test_database": CRITICAL,
    "test_storage": CRITICAL,
    "test_app_sourcing": WARNING,
    "test_model_hub": CRITICAL,
    "run_pytest_suite": WARNING,
}
"""A failed check fails the run if its severity is critical, but not if it is warning."""
