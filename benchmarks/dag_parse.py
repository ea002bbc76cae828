"""How long Airflow takes to parse all our DAG files, on top of its own import.

    .venvs/drift/bin/python benchmarks/dag_parse.py

`Airflow and one operator` imports Airflow and parses a file with one empty task, as Airflow's DAG processor does it (a
DagBag over a folder); `our DAGs` does the same over `dags/`. The difference is what our files cost, the Kubernetes
provider and its client included. `one KubernetesPodOperator` parses a file with one of those: what it costs anybody who
starts pods.
"""

import os
import tempfile
from pathlib import Path

from document import Goal, picture, plot_path, publish, run_table
from harness import REPO, Contestant, Runs, in_turns, median, options_of

ONE, POD, OURS = "Airflow and one operator", "one KubernetesPodOperator", "our DAGs"
LIMIT = 0.3
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
with DAG("one", schedule=None):
    EmptyOperator(task_id="one")
"""
ONE_POD = """
from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator
from airflow.sdk import DAG
with DAG("pod", schedule=None):
    KubernetesPodOperator(task_id="one", image="busybox")
"""


def contestants(folder: Path) -> list[Contestant]:
    """Three folders of DAGs, parsed by Airflow's own interpreter."""
    folders = {ONE: folder / "one", POD: folder / "pod", OURS: REPO / "dags"}
    for name, text in {ONE: ONE_OPERATOR, POD: ONE_POD}.items():
        folders[name].mkdir()
        (folders[name] / "dag.py").write_text(text)
    python = str(REPO / ".venvs/airflow/bin/python")
    airflow = {"AIRFLOW_HOME": str(folder / "home"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    return [
        Contestant(name, [python, "-c", PARSE, str(where)], airflow | {"PYTHONPATH": str(where)})
        for name, where in folders.items()
    ]


def report(runs: Runs, *, write: bool) -> None:
    """Table, goal and a plot."""
    from plots import bars

    extra, pods = (median(runs[name]) - median(runs[ONE]) for name in (OURS, POD))
    goals = [
        Goal("DAG parse over Airflow and one operator", f"{LIMIT} s", f"{extra:+.2f} s", extra < LIMIT),
        Goal("the same, over one KubernetesPodOperator", "-", f"{extra - pods:+.2f} s", None),
    ]
    parse = ", ".join(f"{name}: {median(done, 'parse_seconds'):.2f} s" for name, done in runs.items())
    text = f"{run_table(runs, ONE)}\n\nOf which parsing, after `import airflow` of the DagBag: {parse}."
    text += f" Whoever makes pods imports the Kubernetes provider and its client: {pods:.2f} s of the difference."
    if write:
        heights = {name: [run.seconds for run in done] for name, done in runs.items()}
        bars(plot_path("dag_parse"), "Import of Airflow and parsing of a folder", heights, "seconds")
        text += f"\n\n{picture('dag_parse', 'Seconds to parse each folder, import of Airflow included')}"
    publish("dag_parse", goals, text, write=write)


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__ or "", repetitions=7)
    with tempfile.TemporaryDirectory() as folder:
        os.environ.pop("AIRFLOW_HOME", None)
        runs = in_turns(contestants(Path(folder)), options.repetitions or (2 if options.quick else 7))
    report(runs, write=options.publish)


if __name__ == "__main__":
    main()
