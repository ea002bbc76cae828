"""Results of the stages, small enough for XCom."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import BaseModel, ConfigDict
from wakee_common.stage import StageResult

MOST_WARNINGS, LONGEST_WARNING = 6, 200

Fact = str | int | float | bool | None


class Latency(BaseModel):
    """Durations of a probe's calls, in milliseconds."""

    model_config = ConfigDict(frozen=True)

    p50_ms: float
    p95_ms: float
    calls: int

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """Compute median and 95th percentile of durations in seconds (linear interpolation)."""
        import numpy as np  # not needed for --help

        p50, p95 = np.percentile(np.asarray(seconds) * 1000, [50, 95])
        return cls(p50_ms=round(float(p50), 1), p95_ms=round(float(p95), 1), calls=len(seconds))


class ProbeResult(StageResult):
    """Result of a probe that passed: latency, facts and warnings."""

    latency: Latency
    facts: dict[str, Fact]
    warnings: list[str]

    @classmethod
    def of(cls, seconds: Sequence[float], facts: dict[str, Any], warnings: Sequence[str]) -> Self:
        """Create a result, with the warnings shortened for XCom."""
        short = [warning[:LONGEST_WARNING] for warning in warnings[:MOST_WARNINGS]]
        more = len(warnings) - len(short)
        return cls(
            latency=Latency.of(seconds), facts=facts, warnings=short + ([f"and {more} more warnings"] if more else [])
        )


class SuiteResult(StageResult):
    """Result of a test run without failures. The reports' addresses are empty if they could not be written to R2."""

    tests: int
    passed: int
    skipped: int
    seconds_of_tests: float
    junit_uri: str
    html_uri: str
    warnings: list[str]


class SummaryResult(StageResult):
    """The run's verdict, and the addresses of the report."""

    verdict: str
    passed: int
    warned: int
    failed: int
    html_uri: str
    markdown_uri: str
    json_uri: str
    rows: int
    warnings: list[str]
