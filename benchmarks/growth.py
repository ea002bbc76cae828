"""How time and memory grow with rows, pictures and epochs, each ten and a hundred times as many.

    .venvs/drift/bin/python benchmarks/growth.py

Each run in a process of its own, the largest size once, of the others the middle one of three: rows through
`fetch-annotations` and through the drift metrics with their report, pictures through `fetch-training-data`, epochs
through the trainer (64 pictures, a small backbone).
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from document import Goal, picture, plot_path, publish
from harness import REPO, Contestant, Run, contestant, options_of, run_once

HERE = Path(__file__).parent
TRAIN = str(REPO / ".venvs" / "train" / "bin" / "python")
ROWS, PICTURES, EPOCHS = (10_000, 100_000, 1_000_000), (100, 1_000, 10_000), (1, 10, 100)
LINEAR, NOISE = 1.1, 0.25
"""How much steeper than a straight line the last step may be; the share of a short run that chance may make."""
SHORT_RUNS = 3
Points = dict[int, Run]


Field = Iterator[tuple[str, int, Contestant]]


def with_rows(sizes: int) -> Field:
    """So many sizes, each when its turn comes: the table has been filled then."""
    import annotations
    import drift
    from services import postgres, s3

    script = str(HERE / "annotations.py")
    with postgres() as url, s3() as variables, tempfile.TemporaryDirectory() as folder:
        annotations.make_table(url)
        for rows in ROWS[:sizes]:
            annotations.fill(url, rows)
            yield "fetch-annotations", rows, contestant(script, "rows", "stage", image="drift", url=url, s3=variables)
            yield "drift and report", rows, drift.contestants(Path(folder), rows)[0]


def with_pictures(sizes: int) -> Field:
    """So many sizes, each when its turn comes: the bucket has been filled then."""
    import annotations
    import photos
    from services import postgres, s3
    from wakee_common.settings import R2Settings
    from wakee_common.storage import ObjectStore

    script = str(HERE / "pictures.py")
    with postgres() as url, s3() as variables:
        annotations.make_table(url)
        for count in PICTURES[:sizes]:
            photos.fill_bucket(ObjectStore(R2Settings.model_validate(variables)), count)
            photos.fill_table(url, count)
            given: dict[str, Any] = {"s3": variables, "url": url, "count": count, "python": TRAIN, "image": "train"}
            yield "fetch-training-data", count, contestant(script, "pictures", "dataset", **given)


def with_epochs(sizes: int) -> Field:
    """So many sizes."""
    for count in EPOCHS[:sizes]:
        script = str(HERE / "train_throughput.py")
        yield "training", count, contestant(script, "epochs", "epochs", python=TRAIN, image="train", count=count)


def measure(sizes: int) -> dict[str, Points]:
    """What -> size -> measurement."""
    found: dict[str, Points] = {}
    for field in (with_rows(sizes), with_pictures(sizes), with_epochs(sizes)):
        for what, size, one in field:
            largest = len(found.setdefault(what, {})) + 1 == sizes
            runs = [run_once(one) for _ in range(1 if largest else SHORT_RUNS)]
            found[what][size] = sorted(runs, key=lambda run: run.seconds)[len(runs) // 2]
    return found


def steepness(points: Points) -> float:
    """What the last step cost, over what a straight line through the two smaller sizes foretells; 1 is a straight line.

    All that the smallest size takes counts as start-up. Where the middle one takes hardly longer, which is chance as
    likely as work, a share of its seconds stands for the difference.
    """
    (smallest, middle, largest), (first, before, last) = list(points), [run.seconds for run in points.values()]
    foretold = max(before - first, NOISE * before) * (largest - smallest) / (middle - smallest)
    return max(last - first, 0) / foretold


def table(found: dict[str, Points]) -> str:
    """Seconds and memory of every size."""
    rows = ["| | size | seconds | peak memory |", "|---|---:|---:|---:|"]
    for what, points in found.items():
        rows += [
            f"| {what} | {n:,} | {run.seconds:.1f} | {run.answer['peak_mib']:.0f} MiB |" for n, run in points.items()
        ]
    return "\n".join(rows)


def report(found: dict[str, Points], *, write: bool) -> None:
    """Table, goals and curves."""
    from plots import curves

    goals = [
        Goal(
            f"growth of {what}, to {max(points):,}",
            "at most linear",
            f"{steepness(points):.2f} x linear; memory {_memory_growth(points):.1f} x",
            _flat(points),
        )
        for what, points in found.items()
        if len(points) == 3
    ]
    text = table(found)
    if write:
        panels: dict[str, dict[str, dict[float, float]]] = {"seconds": {}, "peak memory, MiB": {}}
        for what, points in found.items():
            panels["seconds"][what] = {size: run.seconds for size, run in points.items()}
            panels["peak memory, MiB"][what] = {size: run.answer["peak_mib"] for size, run in points.items()}
        curves(plot_path("growth"), "Ten and a hundred times as much", panels, "rows, pictures, epochs")
        text += f"\n\n{picture('growth', 'Seconds and memory over the size, logarithmic')}"
    publish("growth", goals, text, write=write)


def _flat(points: Points) -> bool:
    return steepness(points) <= LINEAR and _memory_growth(points) <= max(points) / min(points)


def _memory_growth(points: Points) -> float:
    """Peak memory at the largest size over that at the smallest."""
    memory = [run.answer["peak_mib"] for run in points.values()]
    return float(memory[-1] / memory[0])


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__ or "", repetitions=1)
    report(measure(2 if options.quick else 3), write=options.publish)


if __name__ == "__main__":
    main()
