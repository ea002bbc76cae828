"""What all benchmarks share: contestants in turns, each run in a fresh process, and the command line.

A benchmark is a file with functions, its contestants. The file runs itself again for every single measurement:

    python benchmarks/annotations.py contestant ours '{"rows": 100000, ...}'

so that no contestant finds the memory, the imports or the warm caches of another one. Contestants take turns, so that
a busy moment of the machine falls on all of them.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

REPO = Path(__file__).parents[1]
HEADLESS = {"MPLBACKEND": "agg"}


@dataclass(frozen=True)
class Contestant:
    """One way to do the job.

    Attributes:
        name: As it stands in the tables.
        command: What to run.
        environment: Variables on top of ours.
        limit_seconds: After which it is ended.
        image: Ours, whose settings of the memory allocator hold.
        checkout: Whose code it is.
    """

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    limit_seconds: float | None = None
    image: str = ""
    checkout: Path = REPO

    @property
    def variables(self) -> dict[str, str]:
        """The environment, with what the image's Dockerfile sets to tune glibc's malloc."""
        if not self.image:
            return dict(self.environment)
        recipe = (self.checkout / "images" / self.image / "Dockerfile").read_text()
        return dict(re.findall(r"\b((?:MALLOC|GLIBC)_\w+)=(\S+)", recipe)) | dict(self.environment)


@dataclass(frozen=True)
class Run:
    """One measurement.

    Attributes:
        seconds: Wall time of the whole process, interpreter and imports included.
        answer: What the contestant says of itself (`peak_mib`, `work_seconds`, its results).
    """

    seconds: float
    answer: dict[str, Any]


Runs = dict[str, list[Run]]
Contestants = Mapping[str, Callable[..., dict[str, Any]]]
"""Names on the command line of the functions of a benchmark's file."""


def contestant(
    script: str,
    name: str,
    function: str,
    *,
    limit_seconds: float | None = None,
    python: str = "",
    image: str = "",
    **arguments: Any,
) -> Contestant:
    """A function of a benchmark's file, to be run in a process of its own.

    Args:
        script: The file.
        name: As it stands in the tables.
        function: Its name in the file's `CONTESTANTS`.
        limit_seconds: After which it is ended.
        python: Another interpreter than ours.
        image: Ours, whose settings of the memory allocator hold.
        arguments: What the function is given.
    """
    command = [python or sys.executable, script, "contestant", function, json.dumps(arguments)]
    return Contestant(name, command, limit_seconds=limit_seconds, image=image)


def competing_with(earlier: str, contestants: Sequence[Contestant], names: Sequence[str]) -> list[Contestant]:
    """The contestants, and those of these names once more with the code of an older checkout, if there is one."""
    packages = os.pathsep.join(f"{earlier}/images/{image}/src" for image in ("common", "drift", "train"))
    code = {"PYTHONPATH": packages}
    older = [
        replace(one, name=f"{one.name}, before", environment={**one.environment, **code}, checkout=Path(earlier))
        for one in contestants
        if earlier and one.name in names
    ]
    return [*contestants, *older]


def in_turns(contestants: Sequence[Contestant], repetitions: int, *, warm_up: bool = True) -> Runs:
    """Run every contestant so many times, one after the other; a first round may go uncounted."""
    runs: Runs = {one.name: [] for one in contestants}
    for round_number in range(repetitions + warm_up):
        for one in contestants:
            run = run_once(one)
            if round_number or not warm_up:
                runs[one.name].append(run)
                _say(f"  {one.name}: {run.seconds:.2f} s")
    return runs


def run_once(one: Contestant) -> Run:
    """Run a contestant.

    Raises:
        RuntimeError: it failed; the message ends with its last words.
    """
    environment = {**os.environ, **HEADLESS, **one.variables}
    started = time.perf_counter()
    try:
        done = subprocess.run(
            one.command, env=environment, capture_output=True, text=True, check=False, timeout=one.limit_seconds
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"not done after {one.limit_seconds:g} s") from None
    seconds = time.perf_counter() - started
    if done.returncode:
        raise RuntimeError(f"{done.stderr[-2000:].strip()} (ended with {done.returncode})")
    last = (done.stdout.strip().splitlines() or [""])[-1]
    return Run(seconds, json.loads(last) if last.startswith("{") else {})


def ends_badly(one: Contestant) -> str:
    """How a contestant ends that may not get through: its last line, or nothing when all went well."""
    try:
        run_once(one)
    except RuntimeError as error:
        return str(error).splitlines()[-1]
    return ""


def peak_mib() -> float:
    """Largest memory of this process so far, in MiB.

    Not `ru_maxrss`, in which a child inherits what its parent held when it was started.
    """
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def median(runs: Sequence[Run], what: str = "seconds") -> float:
    """Median of the seconds, or of something in the answers."""
    return statistics.median(values(runs, what))


def values(runs: Sequence[Run], what: str = "seconds") -> list[float]:
    """The seconds of the runs, or something in their answers."""
    return [float(run.seconds if what == "seconds" else run.answer[what]) for run in runs]


def options_of(description: str, **defaults: int) -> argparse.Namespace:
    """The command line that every benchmark has, with `--repetitions` and further numbers."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="smaller sizes, fewer repetitions: seconds, not minutes")
    parser.add_argument("--publish", action="store_true", help="write the figures into docs/benchmarks.md")
    parser.add_argument("--repetitions", type=int, help=f"of each contestant ({defaults.pop('repetitions', 5)})")
    parser.add_argument("--before", default="", metavar="CHECKOUT", help="let the code of this checkout compete, too")
    for name, default in defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help="(%(default)s)")
    return parser.parse_args()


def play(contestants: Contestants) -> None:
    """Be the contestant that the command line names, then end; otherwise do nothing."""
    if sys.argv[1:2] != ["contestant"]:
        return
    started = time.perf_counter()
    answer = contestants[sys.argv[2]](**json.loads(sys.argv[3]))
    work = time.perf_counter() - started
    print(json.dumps({"work_seconds": work, **answer, "peak_mib": peak_mib()}))
    raise SystemExit


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
