"""docs/benchmarks.md: the text is written by people, the figures between its markers by the benchmarks.

    <!-- annotations -->      a benchmark's part begins
    <!-- /annotations -->     and ends

Each benchmark leaves its goals in docs/benchmarks/NAME.json, from which the table at the top of the page is made, so
that one of them can be run again alone.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

import machine
from harness import REPO, Run, Runs, median, values

PAGE = REPO / "docs" / "benchmarks.md"
FOLDER = REPO / "docs" / "benchmarks"
SUMMARY = "summary"
MET = {True: "yes", False: "**no**", None: "-"}


@dataclass(frozen=True)
class Goal:
    """One line of the table at the top.

    Attributes:
        what: What was measured.
        goal: What was aimed at.
        measured: What came out.
        met: Whether that is enough; None where nothing was aimed at.
    """

    what: str
    goal: str
    measured: str
    met: bool | None


def publish(name: str, goals: Sequence[Goal], text: str, *, write: bool, packages: Sequence[str] = ()) -> None:
    """Print a benchmark's part of the page; write it, and its goals, into the page when asked to.

    Args:
        name: Of the benchmark, as in the page's markers.
        goals: Its lines of the table at the top.
        text: Its part of the page.
        write: Whether to write.
        packages: Whose versions matter to the figures.
    """
    print(f"\n{text}\n\n{_goal_table(goals)}\n")
    if not write:
        return
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.json").write_text(json.dumps([asdict(goal) for goal in goals], indent=2) + "\n")
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, commit {machine.commit()}"
    stamp = f"Measured {when}; {machine.versions(packages)}; {machine.describe()}."
    page = _between_markers(PAGE.read_text(), name, f"{text}\n\n{stamp}")
    PAGE.write_text(_between_markers(page, SUMMARY, _goal_table(_all_goals(page))))
    print(f"written: {PAGE.relative_to(REPO)}", file=sys.stderr)


def run_table(
    runs: Runs,
    base: str,
    what: str = "seconds",
    unit: str = "seconds",
    digits: int = 2,
    *,
    more_is_better: bool = False,
) -> str:
    """Median, spread and memory of each contestant's runs; the last column: how many times as fast as `base` it is.

    Args:
        runs: The measurements.
        base: The name of the contestant that has 1.00.
        what: The seconds, or a number in the answers.
        unit: What it is, for the heading.
        digits: Behind the decimal point.
        more_is_better: Whether the number is a rate.
    """
    middle = f"median of {max(map(len, runs.values()))}"
    rows = [f"| | {unit}, {middle} | lowest to highest | peak memory | speed |", "|---|---:|---:|---:|---:|"]
    for name, done in runs.items():
        found = values(done, what)
        ratio = median(done, what) / median(runs[base], what)
        rows.append(
            f"| {name} | {median(done, what):.{digits}f} | {min(found):.{digits}f} to {max(found):.{digits}f} "
            f"| {_memory(done)} | {ratio if more_is_better else 1 / ratio:.2f} x |"
        )
    return "\n".join(rows)


def _memory(runs: Sequence[Run]) -> str:
    known = [run.answer["peak_mib"] for run in runs if "peak_mib" in run.answer]
    return f"{max(known):.0f} MiB" if known else ""


def _goal_table(goals: Sequence[Goal]) -> str:
    rows = ["| what | goal | measured | met |", "|---|---|---|---|"]
    return "\n".join(rows + [f"| {g.what} | {g.goal} | {g.measured} | {MET[g.met]} |" for g in goals])


def _all_goals(page: str) -> list[Goal]:
    """The goals of all benchmarks, in the order in which the page speaks of them."""
    files = sorted(FOLDER.glob("*.json"), key=lambda path: page.find(f"<!-- {path.stem} -->"))
    return [Goal(**goal) for file in files for goal in json.loads(file.read_text())]


def _between_markers(page: str, name: str, text: str) -> str:
    begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, found, rest = page.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ValueError(f"docs/benchmarks.md has no place for {name}: {begin} ... {end}")
    return f"{before}{begin}\n{text}\n{end}{after}"


def picture(name: str, says: str) -> str:
    """A link to a plot in docs/benchmarks/, with what it shows for those who do not see it."""
    return f"![{says}](benchmarks/{name}.png)"


def plot_path(name: str) -> Path:
    """Where a plot lies."""
    FOLDER.mkdir(exist_ok=True)
    return FOLDER / f"{name}.png"
