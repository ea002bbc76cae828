"""The report of a run in three formats, and as a table for the log."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from wakee_common.settings import RunContext

from wakee_health.pages import render
from wakee_health.report.chart import history_chart
from wakee_health.report.checks import Check, verdict
from wakee_health.report.history import PastRun

MARKS = {"passed": "OK", "warning": "WARN", "failed": "FAIL"}
SENTENCES = {
    "passed": "All checks passed.",
    "warning": "No critical check failed, but there are warnings.",
    "failed": "A critical check failed.",
}


@dataclass(frozen=True)
class Report:
    """Content of the report. The notes are about problems with the report itself."""

    context: RunContext
    run_at: datetime
    checks: Sequence[Check]
    past: Sequence[PastRun]
    notes: Sequence[str]

    @property
    def verdict(self) -> str:
        """`passed`, `warning` or `failed`."""
        return verdict(self.checks)

    def json(self) -> str:
        """Return the report as JSON, for programs."""
        content = {
            "verdict": self.verdict,
            "run_at": self.run_at.isoformat(timespec="seconds"),
            "run": self.context.model_dump(),
            "checks": [check.model_dump(mode="json") for check in self.checks],
            "notes": list(self.notes),
        }
        return json.dumps(content, indent=2)

    def markdown(self) -> str:
        """Return the report as Markdown, for terminals and tickets."""
        rows = [
            f"| {check.name} | {MARKS[check.status]} | {check.severity} | {_ms(check.p50_ms)} | {_ms(check.p95_ms)} "
            f"| {check.line.replace('|', chr(92) + '|')} |"
            for check in self.checks
        ]
        notes = [f"- {note}" for note in self.notes]
        return "\n".join(
            [
                f"# Wakee health: {self.verdict}",
                "",
                f"{self.context.dag_id} / {self.context.run_id}, {self.run_at:%Y-%m-%d %H:%M} UTC. "
                f"{SENTENCES[self.verdict]}",
                "",
                "| check | status | severity | p50 | p95 | what |",
                "|---|---|---|---|---|---|",
                *rows,
                *(["", *notes] if notes else []),
                "",
            ]
        )

    def html(self) -> str:
        """Return the report as a self-contained HTML page."""
        chart = history_chart(self.past, [check.name for check in self.checks])
        return render("report.html.j2", report=self, sentence=SENTENCES[self.verdict], marks=MARKS, chart=chart, ms=_ms)


def table(checks: Sequence[Check]) -> list[str]:
    """Return the checks as a table, for the log."""
    width = max(len(check.name) for check in checks)
    head = f"{'check':<{width}}  {'':4}  {'severity':8}  {'p50':>9}  {'p95':>9}  what"
    return [head, "-" * len(head)] + [
        f"{check.name:<{width}}  {MARKS[check.status]:4}  {check.severity:8}  {_ms(check.p50_ms):>9}"
        f"  {_ms(check.p95_ms):>9}  {check.line}"
        for check in checks
    ]


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f} ms"
