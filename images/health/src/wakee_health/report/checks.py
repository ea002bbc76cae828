"""Outcome of each check of a run, from Airflow's task states and results, and the verdict over all checks."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict
from wakee_common.errors import BadInputError
from wakee_contract.checks import CHECKS, CRITICAL, DEFAULT_SEVERITY, WARNING, Severity

Status = Literal["passed", "warning", "failed"]
NOT_FACTS = {"status", "stage", "run", "started_at", "seconds", "latency", "facts", "warnings", "cause", "error"}


class Check(BaseModel):
    """One check of a run."""

    model_config = ConfigDict(frozen=True)

    name: str
    status: Status
    severity: Severity
    cause: str = ""
    p50_ms: float | None = None
    p95_ms: float | None = None
    seconds: float | None = None
    facts: dict[str, Any] = {}
    warnings: list[str] = []

    @property
    def line(self) -> str:
        """The outcome in one line: the cause, the warnings or `ok`."""
        return self.cause or "; ".join(self.warnings) or "ok"


def read_checks(results: str, severities: Mapping[str, Severity]) -> list[Check]:
    """Read the checks, in their fixed order.

    Args:
        results: JSON object, per task id `{"state": ..., "result": {...} | null}`, as the DAG's template renders it.
        severities: Severity by check.

    Raises:
        BadInputError: `results` is not such an object.
    """
    try:
        told = json.loads(results)
        return [_check(name, told.get(name) or {}, severities.get(name, CRITICAL)) for name in CHECKS]
    except (ValueError, AttributeError, TypeError) as error:
        raise BadInputError(f"--results is not a JSON object of task results: {error}") from None


def parse_severities(given: Sequence[str]) -> dict[str, Severity]:
    """Parse `check=critical` and `check=warning`; checks that are not given keep their default.

    Raises:
        BadInputError: unknown check or severity.
    """
    severities = dict(DEFAULT_SEVERITY)
    for word in given:
        name, _, value = word.partition("=")
        if name not in CHECKS or value not in (CRITICAL, WARNING):
            raise BadInputError(f"--severity {word!r}: expected one of {', '.join(CHECKS)} = {CRITICAL} or {WARNING}")
        severities[name] = _severity(value)
    return severities


def critical_failures(checks: Sequence[Check]) -> list[Check]:
    """Return the checks that fail the run."""
    return [check for check in checks if check.status == "failed" and check.severity == CRITICAL]


def verdict(checks: Sequence[Check]) -> Status:
    """Return `failed` if a critical check failed, `warning` if any other check did not pass, otherwise `passed`."""
    if critical_failures(checks):
        return "failed"
    return "passed" if all(check.status == "passed" for check in checks) else "warning"


def _severity(word: str) -> Severity:
    return "warning" if word == WARNING else "critical"


def _check(name: str, told: Mapping[str, Any], severity: Severity) -> Check:
    result: Mapping[str, Any] = told.get("result") or {}
    state = told.get("state") or "unknown"
    succeeded = state == "success" and result.get("status") == "success"
    latency = result.get("latency") or {}
    warnings = [str(warning) for warning in result.get("warnings") or []]
    facts = dict(result.get("facts") or {}) | {key: value for key, value in result.items() if key not in NOT_FACTS}
    return Check(
        name=name,
        status="failed" if not succeeded else "warning" if warnings else "passed",
        severity=severity,
        cause="" if succeeded else _cause(name, state, result),
        p50_ms=latency.get("p50_ms"),
        p95_ms=latency.get("p95_ms"),
        seconds=result.get("seconds"),
        facts=facts,
        warnings=warnings,
    )


def _cause(name: str, state: str, result: Mapping[str, Any]) -> str:
    if result.get("cause"):
        return str(result["cause"])
    return f"{name} wrote no result (state {state}). See its log"
