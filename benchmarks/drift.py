"""Drift: metrics, interval, comparison of distributions and the report, against Evidently over the whole frame.

    .venvs/drift/bin/python benchmarks/drift.py                     # 10,000 and 1 million pairs
    .venvs/drift/bin/python benchmarks/drift.py --largest 10000000

`ours` is what `calculate-drift` and `generate-report` do, in one process: exact metrics in one pass over the file, the
bootstrap interval, Evidently's comparison and its page on samples of 5,000 rows. `Evidently` reads the file with pandas
and lets its two presets make the same page of all rows; it has no interval. That both find the same errors, to 1e-9,
is checked wherever Evidently got done.
"""

import tempfile
from argparse import Namespace
from pathlib import Path
from typing import Any

from document import Goal, picture, plot_path, publish, run_table
from harness import (
    Contestant,
    Contestants,
    Runs,
    competing_with,
    contestant,
    ends_badly,
    in_turns,
    median,
    options_of,
    play,
)

OURS, EVIDENTLY = "ours", "Evidently"
LONGEST = 600.0
REFERENCE_ROWS = 10_000
ROWS_AT_A_TIME = 50_000
TOLERANCE = 1e-9


def ours(pairs: str, reference: str, folder: str) -> dict[str, Any]:
    """The two stages, without the transfers."""
    from wakee_drift.measure.frames import sample_frame
    from wakee_drift.measure.metrics import measure
    from wakee_drift.report.pages import write_report

    metrics = measure(Path(pairs), Path(reference), 0.15)
    write_report(metrics, sample_frame(Path(pairs)), sample_frame(Path(reference)), Path(folder))
    errors = metrics.emotions.items()
    return {"errors": {name: [found.mae, found.rmse, found.bias] for name, found in errors}}


def evidently(pairs: str, reference: str, folder: str) -> dict[str, Any]:
    """What Evidently's own guide does, with the same presets."""
    import pandas as pd
    from evidently.presets import DataDriftPreset, RegressionPreset
    from wakee_contract.emotions import EMOTIONS
    from wakee_drift.measure.evidently_runs import run_evidently
    from wakee_drift.measure.frames import COLUMNS

    current, before = (pd.read_parquet(path, columns=list(COLUMNS)) for path in (pairs, reference))
    presets = [DataDriftPreset(columns=list(COLUMNS)), *(RegressionPreset(regression_name=name) for name in EMOTIONS)]
    snapshot = run_evidently(presets, current, before)
    snapshot.save_html(f"{folder}/evidently.html")
    return {"errors": _their_errors(snapshot.dict()["metrics"])}


def _their_errors(metrics: list[dict[str, Any]]) -> dict[str, list[float]]:
    """MAE, RMSE and mean error per emotion."""
    found: dict[str, list[float]] = {}
    for kind in ("MAE", "RMSE", "MeanError"):
        for metric in metrics:
            if metric["metric_name"].startswith(f"{kind}("):
                value = metric["value"]
                mean = value["mean"] if isinstance(value, dict) else value
                found.setdefault(metric["config"]["regression_name"], []).append(float(mean))
    return found


CONTESTANTS: Contestants = {"ours": ours, "evidently": evidently}


def make_pairs(path: Path, rows: int, seed: int) -> Path:
    """A file as `load-predictions` writes it: labels on the whole scale, predictions off by 0.3."""
    from datetime import date, datetime

    from wakee_drift.records import Provenance
    from wakee_drift.tables import PAIRS_SCHEMA, table_writer

    day = datetime(2026, 3, 25)
    origin = Provenance(
        report_date=date(2026, 3, 31), window_start=day, window_end=day, reference_start=day, min_samples=10
    )
    with table_writer(path, PAIRS_SCHEMA) as writer:
        for start in range(0, rows, ROWS_AT_A_TIME):
            writer.write(_some_pairs(start, min(ROWS_AT_A_TIME, rows - start), seed))
        writer.describe(origin)
    return path


def _some_pairs(start: int, count: int, seed: int) -> Any:
    import numpy as np
    import pyarrow as pa
    from wakee_contract.tables import LABELS, PREDICTED
    from wakee_drift.tables import PAIRS_SCHEMA

    chance = np.random.default_rng((seed, start))
    user = chance.uniform(0, 3, (count, len(LABELS)))
    predicted = np.clip(user + chance.normal(0.05, 0.3, user.shape), 0, 3)
    names = [f"face-{number:08d}.jpg" for number in range(start, start + count)]
    columns = {"img_name": names, "s3_path": names, "timestamp": np.full(count, "2026-03-26", "datetime64[us]")}
    columns["person"] = chance.integers(0, 500, count)
    columns |= {name: predicted[:, index] for index, name in enumerate(PREDICTED)}
    columns |= {name: user[:, index] for index, name in enumerate(LABELS)}
    return pa.RecordBatch.from_pydict(columns, PAIRS_SCHEMA)


def contestants(folder: Path, rows: int) -> tuple[Contestant, Contestant]:
    """Both, over a file of so many rows."""
    pairs = make_pairs(folder / f"{rows}.parquet", rows, seed=1)
    reference = make_pairs(folder / "reference.parquet", min(rows, REFERENCE_ROWS), seed=2)
    files: dict[str, Any] = {"pairs": str(pairs), "reference": str(reference), "folder": str(folder)}
    return (
        contestant(__file__, OURS, "ours", image="drift", **files),
        contestant(__file__, EVIDENTLY, "evidently", limit_seconds=LONGEST, **files),
    )


def compare(runs: Runs) -> float:
    """Largest difference between the two's errors.

    Raises:
        AssertionError: it is more than 1e-9.
    """
    mine, theirs = runs[OURS][0].answer["errors"], runs[EVIDENTLY][0].answer["errors"]
    gaps: list[float] = [abs(a - b) for name in mine for a, b in zip(mine[name], theirs[name], strict=True)]
    if len(gaps) != 12 or max(gaps) > TOLERANCE:
        raise AssertionError(f"ours and Evidently's errors differ: {mine}, {theirs}")
    return max(gaps)


def measure_sizes(options: Namespace, sizes: list[int]) -> tuple[dict[int, Runs], dict[int, str]]:
    """The measurements per number of rows, and how Evidently ended where it did not get through."""
    found, ends = dict[int, Runs](), dict[int, str]()
    usual = options.repetitions or (1 if options.quick else 5)
    with tempfile.TemporaryDirectory() as folder:
        for rows in sizes:
            both = contestants(Path(folder), rows)
            if rows > 1_000_000:
                found[rows] = in_turns(both[:1], 2, warm_up=False)
                ends[rows] = ends_badly(both[1])
            else:
                field = competing_with(options.before, both, [OURS])
                found[rows] = in_turns(field, usual if rows < 1_000_000 else min(usual, 3), warm_up=rows < 1_000_000)
    return found, ends


def report(found: dict[int, Runs], ends: dict[int, str], *, write: bool) -> None:
    """Tables, goals and a plot."""
    from plots import bars

    parts, goals, gap = [], [], 0.0
    for rows, runs in found.items():
        both = EVIDENTLY in runs
        parts.append(f"**{rows:,} pairs**\n\n{run_table(runs, EVIDENTLY if both else OURS)}")
        gap = max(gap, compare(runs)) if both else gap
        if rows in ends:
            parts.append(f"Evidently over {rows:,} pairs: {ends[rows] or f'got through within {LONGEST:g} s'}")
    for rows in (1_000_000, max(found)):
        if rows in found:
            seconds = median(found[rows][OURS])
            peak = max(run.answer["peak_mib"] for run in found[rows][OURS])
            measured = f"{seconds:.1f} s, {peak:.0f} MiB"
            limit = "10 s, 500 MiB" if rows == 1_000_000 else "memory flat: 500 MiB"
            goals.append(Goal(f"drift and report, {rows:,} pairs", limit, measured, _within(rows, seconds, peak)))
    goals.append(Goal("the same errors as Evidently", "1e-9", f"{gap:.0e}", gap <= TOLERANCE))
    if write and 1_000_000 in found:
        heights = {name: [run.seconds for run in done] for name, done in found[1_000_000].items()}
        bars(plot_path("drift"), "Drift metrics and report, 1 million pairs", heights, "seconds")
        parts.append(picture("drift", "Seconds for 1 million pairs, per contestant"))
    publish(
        "drift",
        list(dict.fromkeys(goals)),
        "\n\n".join(parts),
        write=write,
        packages=["evidently", "pandas", "pyarrow", "numpy"],
    )


def _within(rows: int, seconds: float, peak: float) -> bool:
    return peak < 500 and (seconds < 10 or rows != 1_000_000)


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__ or "", repetitions=5, largest=1_000_000)
    sizes = [10_000] if options.quick else sorted({10_000, 1_000_000, options.largest})
    report(*measure_sizes(options, sizes), write=options.publish)


if __name__ == "__main__":
    play(CONTESTANTS)
    main()
