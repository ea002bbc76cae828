"""How long Airflow takes to parse all our DAG files, on top of its own import.

    .venvs/drift/bin/python benchmarks/dag_parse.py

`Airflow and one operator` imports Airflow and parses files with one empty task each, as many as we have, as Airflow's
DAG processor does it (a DagBag over a folder); `our DAGs` does the same over `dags/`. The difference is what our files
cost, the Kubernetes provider and its client included. `one KubernetesPodOperator` parses files with one of those each:
what it costs anybody who starts pods.

In operation the DAG processor reads every file again and again, each time in a process forked from its own. What a DAG
file itself imports of Airflow it has imported before it forks. That is the second table: a real `airflow dag-processor`
reads each folder a few times, and its own record of how long each file took the last time (`last_parse_duration`) is
taken.
"""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from document import Goal, picture, plot_path, publish, run_table
from harness import REPO, Contestant, Run, Runs, in_turns, median, options_of

ONE, POD, OURS, OLDER = "Airflow and one operator", "one KubernetesPodOperator", "our DAGs", "our DAGs, before"
LIMIT = 0.3
BIN = REPO / ".venvs" / "airflow" / "bin"
READINGS = 5
"""Of each folder, one after the other, by one DAG processor."""
PARSE = """
import json, sys, time
started = time.perf_counter()
from airflow.dag_processing.dagbag import DagBag
imported = time.perf_counter()
bag = DagBag(sys.argv[1])
done = time.perf_counter()
assert not bag.import_errors, bag.import_errors
print(json.dumps({"import_seconds": imported - started, "parse_seconds": done - imported, "dags": len(bag.dags)}))
"""
ONE_OPERATOR = """
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG
with DAG("NAME", schedule=None):
    EmptyOperator(task_id="one")
"""
ONE_POD = """
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG
with DAG("NAME", schedule=None):
    KubernetesPodOperator(task_id="one", image="busybox")
"""


def folders_of(folder: Path, before: str) -> dict[str, Path]:
    """The folders of DAGs by name, as many files in each."""
    made = {ONE: (folder / "one", ONE_OPERATOR), POD: (folder / "pod", ONE_POD)}
    for where, text in made.values():
        where.mkdir()
        for ours in (REPO / "dags").glob("*.py"):
            (where / ours.name).write_text(text.replace("NAME", ours.stem))
    found = {name: where for name, (where, _) in made.items()} | {OURS: REPO / "dags"}
    return found | ({OLDER: Path(before) / "dags"} if before else {})


def settings(home: Path, dags: Path) -> dict[str, str]:
    """Airflow's environment for a folder of DAGs, all in files of its own."""
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "0",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "PYTHONPATH": str(dags),
    }


def fresh(folders: Mapping[str, Path], home: Path, repetitions: int) -> Runs:
    """Each folder parsed by a new interpreter of Airflow's."""
    python = str(BIN / "python")
    return in_turns(
        [Contestant(name, [python, "-c", PARSE, str(where)], settings(home, where)) for name, where in folders.items()],
        repetitions,
    )


def processed(folders: Mapping[str, Path], home: Path, repetitions: int) -> Runs:
    """Each folder read by a DAG processor; the seconds are those of all its files together, the last time."""
    runs: Runs = {name: [] for name in folders}
    _airflow("db", "migrate", environment=settings(home, home))
    for _ in range(repetitions):
        for name, dags in folders.items():
            mine = Path(shutil.copytree(home, home.with_name("mine"), dirs_exist_ok=True))
            _airflow("dag-processor", f"--num-runs={READINGS}", environment=settings(mine, dags))
            with sqlite3.connect(mine / "airflow.db") as database:
                seconds = [duration for (duration,) in database.execute("SELECT last_parse_duration FROM dag")]
            runs[name].append(Run(sum(seconds), {"files": len(seconds)}))
            shutil.rmtree(mine)
    return runs


def _airflow(*command: str, environment: dict[str, str]) -> None:
    subprocess.run([BIN / "airflow", *command], env=os.environ | environment, check=True, capture_output=True)


def report(runs: Runs, processor: Runs, *, write: bool) -> None:
    """Tables, goals and a plot."""
    from plots import bars

    extra, pods = (median(runs[name]) - median(runs[ONE]) for name in (OURS, POD))
    files, again = int(median(processor[OURS], "files")), median(processor[OURS]) - median(processor[ONE])
    goals = [
        Goal(
            f"DAG parse, all {files} files, over as many of one operator",
            f"{LIMIT} s",
            f"{again:+.2f} s",
            again < LIMIT,
        ),
        Goal("the same by a fresh interpreter", f"{LIMIT} s", f"{extra:+.2f} s", extra < LIMIT),
        Goal("the same, over one KubernetesPodOperator", "-", f"{extra - pods:+.2f} s", None),
    ]
    parse = ", ".join(f"{name}: {median(done, 'parse_seconds'):.2f} s" for name, done in runs.items())
    text = f"**By a fresh interpreter**\n\n{run_table(runs, ONE)}"
    text += f"\n\nOf which parsing, after `import airflow` of the DagBag: {parse}."
    text += f" A DAG that creates pods imports the Kubernetes provider and its client: {pods:.2f} s of the difference."
    text += f"\n\n**By a running DAG processor, all {files} files together**\n\n{run_table(processor, ONE)}"
    if write:
        heights = {name: [run.seconds for run in done] for name, done in processor.items()}
        bars(plot_path("dag_parse"), "A folder of DAGs, read by a running DAG processor", heights, "seconds")
        text += f"\n\n{picture('dag_parse', 'Seconds that a running DAG processor takes for each folder')}"
    publish("dag_parse", goals, text, write=write)


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__ or "", repetitions=7)
    repetitions = options.repetitions or (1 if options.quick else 7)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ.pop("AIRFLOW_HOME", None)
        folders = folders_of(folder, options.before)
        runs = fresh(folders, folder / "home", repetitions)
        processor = processed(folders, folder / "home", min(repetitions, 3))
    report(runs, processor, write=options.publish)


if __name__ == "__main__":
    main()
