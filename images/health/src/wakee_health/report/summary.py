"""`generate-summary`: write the report of all checks to database and R2, if available, and return the verdict."""

import logging
from collections.abc import Sequence
from datetime import UTC, datetime

from wakee_common.errors import WakeeError, one_line
from wakee_common.settings import DatabaseSettings, R2Settings, RunContext, load
from wakee_common.storage import ObjectStore
from wakee_common.telemetry import measured
from wakee_common.uris import R2Uri

from wakee_health.errors import CriticalCheckError
from wakee_health.report import history
from wakee_health.report.checks import Check, critical_failures, verdict
from wakee_health.report.document import Report, table
from wakee_health.report.history import OVERALL, PastRun
from wakee_health.results import SummaryResult

logger = logging.getLogger(__name__)

RUNS_SHOWN = 12
HTML, MARKDOWN, JSON = "report.html", "report.md", "report.json"
R2_ONLY = ", it is in R2 only"
NOWHERE = "this report could not be saved in the database or in R2, it is in this log only"
TYPES = {
    HTML: "text/html; charset=utf-8",
    MARKDOWN: "text/markdown; charset=utf-8",
    JSON: "application/json",
}


def summarise(context: RunContext, checks: Sequence[Check], run_at: datetime | None = None) -> SummaryResult:
    """Save rows and reports, log the table, and return the verdict.

    Database and R2 may be unavailable. The report and the log then say what could not be saved.

    Raises:
        CriticalCheckError: a critical check failed.
    """
    run_at = run_at or datetime.now(UTC)
    folder, notes = _folder(context), list[str]()
    rows = _save_rows(context, run_at, checks, str(folder / HTML) if folder else "", notes)
    past = _past_runs(context, run_at, checks, rows, notes)
    report = Report(context, run_at, checks, past, notes)
    kept = _save_reports(folder, report, notes)
    if not kept and rows:
        _save_rows(context, run_at, checks, "", notes)
    if not kept and not rows:
        notes[:] = [NOWHERE, *(note.replace(R2_ONLY, "") for note in notes)]
    _log(report, kept)
    for check in checks:
        measured("wakee_health_check", "1 when the check passed.", check.status != "failed", check=check.name)
    if failures := critical_failures(checks):
        raise CriticalCheckError(_cause(failures, notes, kept.get(HTML, "")))
    statuses = [check.status for check in checks]
    return SummaryResult(
        verdict=verdict(checks),
        passed=statuses.count("passed"),
        warned=statuses.count("warning"),
        failed=statuses.count("failed"),
        html_uri=kept.get(HTML, ""),
        markdown_uri=kept.get(MARKDOWN, ""),
        json_uri=kept.get(JSON, ""),
        rows=rows,
        warnings=[note[:200] for note in notes],
    )


def overall(checks: Sequence[Check]) -> Check:
    """Return the outcome of the whole run as a check."""
    seconds = [check.seconds for check in checks if check.seconds is not None]
    causes = "; ".join(f"{check.name}: {check.cause}" for check in checks if check.cause)
    status = verdict(checks)
    return Check(name=OVERALL, status=status, severity="critical", cause=causes, seconds=round(sum(seconds), 2))


def _folder(context: RunContext) -> R2Uri | None:
    try:
        return context.folder(load(R2Settings).root)
    except WakeeError as error:
        logger.warning("%s", error)
        return None


def _save_rows(
    context: RunContext, run_at: datetime, checks: Sequence[Check], report_uri: str, notes: list[str]
) -> int:
    try:
        return history.save(load(DatabaseSettings), context, run_at, [overall(checks), *checks], report_uri)
    except WakeeError as error:
        notes.append(f"this report could not be saved in the database{R2_ONLY}: {_told(error)}")
        return 0


def _past_runs(
    context: RunContext, run_at: datetime, checks: Sequence[Check], rows: int, notes: list[str]
) -> list[PastRun]:
    """Return the runs of the chart; only the current run if the database is unavailable."""
    present = PastRun(
        context.run_id,
        run_at,
        {check.name: check.status for check in [overall(checks), *checks]},
        {check.name: check.p95_ms for check in checks if check.p95_ms is not None},
    )
    if not rows:
        return [present]
    try:
        return history.last_runs(load(DatabaseSettings), context, RUNS_SHOWN) or [present]
    except WakeeError as error:
        notes.append(f"the history is not available: {_told(error)}")
        return [present]


def _save_reports(folder: R2Uri | None, report: Report, notes: list[str]) -> dict[str, str]:
    """Write the report in its three formats; return their addresses, or nothing if R2 is unavailable."""
    if folder is None:
        notes.append("R2 is not configured: this report is not saved there")
        return {}
    try:
        store = ObjectStore(load(R2Settings))
        texts = {MARKDOWN: report.markdown(), JSON: report.json(), HTML: report.html()}
        for name, text in texts.items():
            store.put_bytes(folder / name, text.encode(), TYPES[name])
    except WakeeError as error:
        notes.append(f"this report could not be saved in R2: {_told(error)}")
        return {}
    return {name: str(folder / name) for name in texts}


def _log(report: Report, kept: dict[str, str]) -> None:
    for line in table(report.checks):
        logger.info("%s", line)
    for note in report.notes:
        logger.warning("%s", note)
    for check in report.checks:
        for warning in check.warnings:
            logger.warning("%s: %s", check.name, warning)
    logger.info("verdict: %s", report.verdict)
    if kept:
        logger.info("report: %s", kept[HTML])


def _cause(failures: Sequence[Check], notes: Sequence[str], html_uri: str) -> str:
    told = "; ".join(f"{check.name}: {one_line(check.cause, 160)}" for check in failures)
    parts = [f"{len(failures)} critical check{'s' if len(failures) > 1 else ''} failed: {told}"]
    parts += [one_line(note, 120) for note in notes]
    return "; ".join(parts) + (f"; report: {html_uri}" if html_uri else "")


def _told(error: WakeeError) -> str:
    return one_line(error, 150)
