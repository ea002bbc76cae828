"""Chart of the last runs: a column per run, a row per check, and below them the slowest p95 of each run."""

from collections.abc import Sequence
from dataclasses import dataclass

from wakee_health.report.history import PastRun

LABEL_WIDTH, CELL, GAP, LATENCY_HEIGHT = 150, 26, 4, 60
COLOURS = {"passed": "#2f9e6b", "warning": "#e0a100", "failed": "#d13b2e"}
UNKNOWN = "#d5dbe1"


@dataclass(frozen=True)
class Cell:
    """A square: one check of one run."""

    x: int
    y: int
    colour: str
    title: str


@dataclass(frozen=True)
class Bar:
    """The slowest check's 95th percentile of one run."""

    x: int
    y: float
    height: float
    title: str


@dataclass(frozen=True)
class Chart:
    """All elements that the template draws."""

    width: int
    height: int
    size: int
    labels: list[tuple[int, str]]
    cells: list[Cell]
    bars: list[Bar]
    dates: list[tuple[int, str]]
    highest_ms: float
    base: int


def history_chart(past: Sequence[PastRun], checks: Sequence[str]) -> Chart:
    """Lay out the runs, oldest on the left."""
    step = CELL + GAP
    grid = len(checks) * step
    base = grid + LATENCY_HEIGHT + 14
    slowest = [max(run.p95_ms.values(), default=0.0) for run in past]
    highest = max([*slowest, 1.0])
    return Chart(
        width=LABEL_WIDTH + max(len(past), 1) * step + 60,
        height=base + 24,
        size=CELL,
        labels=[(row * step + CELL // 2 + 4, name) for row, name in enumerate(checks)],
        cells=[_cell(run, name, column, row) for column, run in enumerate(past) for row, name in enumerate(checks)],
        bars=[
            _bar(run, value, highest, column, base)
            for column, (run, value) in enumerate(zip(past, slowest, strict=True))
        ],
        dates=[(LABEL_WIDTH + column * step + CELL // 2, f"{run.run_at:%d.%m}") for column, run in enumerate(past)],
        highest_ms=highest,
        base=base,
    )


def _cell(run: PastRun, check: str, column: int, row: int) -> Cell:
    status = run.statuses.get(check, "unknown")
    title = f"{check}, {run.run_at:%Y-%m-%d %H:%M}: {status}"
    return Cell(LABEL_WIDTH + column * (CELL + GAP), row * (CELL + GAP), COLOURS.get(status, UNKNOWN), title)


def _bar(run: PastRun, value: float, highest: float, column: int, base: int) -> Bar:
    height = LATENCY_HEIGHT * value / highest
    title = f"{run.run_at:%Y-%m-%d %H:%M}: slowest p95 {value:.0f} ms"
    return Bar(LABEL_WIDTH + column * (CELL + GAP), round(base - height, 1), round(height, 1), title)
