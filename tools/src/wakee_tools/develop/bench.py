"""Run every benchmark in turn. Each can be run alone: `benchmarks/*.py --help`."""

import io
import os
import subprocess
import tarfile
from pathlib import Path
from typing import NamedTuple

from wakee_tools.develop.environments import make_environments
from wakee_tools.packages import install_packages
from wakee_tools.paths import BUILD, REPO, program
from wakee_tools.shell import ToolError, say, status, succeeds, timed

UNMEASURED = "7320658"
"""The commit before any optimization, the baseline in docs/benchmarks.md."""


class Benchmark(NamedTuple):
    """A script in benchmarks/."""

    environment: str
    name: str
    flags: tuple[str, ...] = ()
    """Flags for a full run."""


QUICK = (
    Benchmark("drift", "command_start"),
    Benchmark("drift", "dag_parse"),
    Benchmark("drift", "annotations", ("--largest", "10000000")),
    Benchmark("drift", "drift", ("--largest", "10000000")),
    Benchmark("drift", "false_alarms"),
    Benchmark("train", "picture_alarms"),
    Benchmark("train", "loading"),
    Benchmark("train", "pictures", ("--largest", "20000")),
    Benchmark("train", "train_throughput"),
    Benchmark("train", "inference"),
)
LONG = (Benchmark("drift", "growth"), Benchmark("dev", "image_sizes"))
ON_A_CLUSTER = (Benchmark("dev", "stage_overhead"), Benchmark("dev", "run_history"))
LEFT_OUT = "skipped, because they are not quick: growth, image_sizes, and on a cluster stage_overhead and run_history"


def bench(*, quick: bool) -> None:
    """Run every benchmark, even if one fails.

    Args:
        quick: Smaller sizes, no cluster, no builds; tables are only printed.

    Raises:
        ToolError: a benchmark failed.
    """
    install_packages("postgresql")
    make_environments("drift", "health", "sandbox", "train", "airflow")
    before = "" if quick else earlier_code()
    load = " ".join(f"{number:.2f}" for number in os.getloadavg())
    say(f"other work on this machine distorts the measurements. Load now: {load}")
    failed = [one.name for one in chosen(quick=quick) if not _succeeds(one, quick=quick, before=before)]
    if failed:
        raise ToolError("failed: " + " ".join(f"benchmarks/{name}.py" for name in failed))


def chosen(*, quick: bool) -> tuple[Benchmark, ...]:
    """The benchmarks that can run here. Prints which ones are skipped."""
    if quick:
        say(LEFT_OUT)
        return QUICK
    if not succeeds("kubectl", "get", "--raw", "/readyz"):
        say("no cluster answers: stage_overhead and run_history are skipped. Run 'make up' for them")
        return (*QUICK, *LONG)
    return (*QUICK, *LONG, *ON_A_CLUSTER)


def arguments(benchmark: Benchmark, *, quick: bool, before: str) -> list[str]:
    """The command line of a benchmark."""
    if quick:
        return ["--quick"]
    return ["--publish", *benchmark.flags, *(["--before", before] if before else [])]


def _succeeds(benchmark: Benchmark, *, quick: bool, before: str) -> bool:
    script, words = f"benchmarks/{benchmark.name}.py", arguments(benchmark, quick=quick, before=before)
    with timed(" ".join([script, *words])):
        return status(program(benchmark.environment, "python"), script, *words, cwd=REPO) == 0


def earlier_code() -> str:
    """Return a checkout of older code to compare with: BEFORE, by default the commit before any optimization.

    Empty if BEFORE is empty, or if git does not have that commit.
    """
    if (named := os.environ.get("BEFORE")) is not None:
        return named
    folder = BUILD / "before"
    return str(folder) if folder.exists() or _extract(UNMEASURED, folder) else ""


def _extract(commit: str, folder: Path) -> bool:
    archive = subprocess.run(["git", "archive", commit], cwd=REPO, capture_output=True)
    if archive.returncode:
        return False
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
    return True
