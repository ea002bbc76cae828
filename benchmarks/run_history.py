"""How a drift run's time and Airflow's memory grow with the runs that Airflow remembers: 10, 100, 1,000, 10,000.

    PYTHONPATH=hack .venvs/drift/bin/python benchmarks/run_history.py

On the cluster. The runs are copies, in Airflow's database, of one real run with its tasks and results, a day apart and
named `bench__N`; they are deleted again. (Of rendered templates Airflow keeps only the last thirty by itself.) Time is
that of a whole run of seven tasks; memory what the main processes of scheduler and API server hold after the runs.
"""

import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from document import Goal, picture, plot_path, publish
from drift_runs import DRIFT, drift_run, lasted, seed
from harness import options_of

from ops.airflow import Airflow

SIZES = (10, 100, 1_000, 10_000)
PREFIX = "bench__"
COMPONENTS = ("scheduler", "api-server")
PSQL = 'PGPASSWORD=$POSTGRES_PASSWORD psql -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -qv ON_ERROR_STOP=1 -f -'
COPY = """
INSERT INTO dag_run SELECT (jsonb_populate_record(run, jsonb_build_object(
    'id', nextval('dag_run_id_seq'), 'run_id', '{prefix}' || n, 'run_after', run.run_after - n * interval '1 day'
))).* FROM dag_run run, generate_series({first}, {last}) n WHERE dag_id = '{dag}' AND run_id = '{model}';
INSERT INTO task_instance SELECT (jsonb_populate_record(task, jsonb_build_object(
    'id', gen_random_uuid(), 'run_id', '{prefix}' || n
))).* FROM task_instance task, generate_series({first}, {last}) n WHERE dag_id = '{dag}' AND run_id = '{model}';
INSERT INTO xcom SELECT (jsonb_populate_record(result, jsonb_build_object(
    'dag_run_id', run.id, 'run_id', run.run_id
))).* FROM xcom result, dag_run run WHERE result.dag_id = '{dag}' AND result.run_id = '{model}'
    AND run.dag_id = '{dag}' AND run.run_id IN (SELECT '{prefix}' || n FROM generate_series({first}, {last}) n);
ANALYZE;
"""
DELETE = "DELETE FROM dag_run WHERE run_id LIKE '{prefix}%';"  # tasks and results go with their run


@dataclass(frozen=True)
class Point:
    """Runs of the DAG beside so many remembered ones: their seconds, and MiB per component afterwards."""

    seconds: list[float]
    memory: dict[str, float]

    @property
    def median(self) -> float:
        """Of the seconds."""
        return statistics.median(self.seconds)


def measure(airflow: Airflow, sizes: Sequence[int], repetitions: int) -> dict[int, Point]:
    """Remembered runs -> measurement."""
    model, found, there = drift_run(airflow), dict[int, Point](), 0
    try:
        for size in sizes:
            _sql(COPY.format(prefix=PREFIX, dag=DRIFT, model=model, first=there + 1, last=size))
            there = size
            seconds = [lasted(airflow.run(DRIFT, drift_run(airflow))) for _ in range(repetitions)]
            found[size] = Point(seconds, {component: _resident_mib(component) for component in COMPONENTS})
            print(f"{size:,} remembered runs: {found[size].median:.1f} s", flush=True)
    finally:
        _sql(DELETE.format(prefix=PREFIX))
    return found


def _sql(statements: str) -> None:
    pod = ["kubectl", "exec", "-i", "-n", "airflow", "airflow-database-0", "--", "sh", "-c", PSQL]
    done = subprocess.run(pod, input=statements, text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"Airflow's database: {done.stderr[-1000:]}")


def _resident_mib(component: str) -> float:
    command = ["kubectl", "exec", "-n", "airflow", f"deploy/airflow-{component}", "-c", "airflow", "--"]
    status = subprocess.run([*command, "cat", "/proc/1/status"], text=True, capture_output=True, check=True).stdout
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def report(found: dict[int, Point], *, write: bool) -> None:
    """Table, goal and curves."""
    from plots import curves

    rows = [
        "| remembered runs | seconds of a run | lowest to highest | scheduler | API server |",
        "|---:|" + "---:|" * 4,
    ]
    for size, point in found.items():
        spread = f"{min(point.seconds):.1f} to {max(point.seconds):.1f}"
        memory = " | ".join(f"{point.memory[component]:.0f} MiB" for component in COMPONENTS)
        rows.append(f"| {size:,} | {point.median:.1f} | {spread} | {memory} |")
    first, last = min(found), max(found)
    growth = found[last].median / found[first].median
    held = max(found[last].memory[component] / found[first].memory[component] for component in COMPONENTS)
    limit = last / first
    measured = f"{growth:.2f} x the time of {first} runs; memory {held:.1f} x"
    goals = [Goal(f"growth with past DAG runs, to {last:,}", "at most linear", measured, max(growth, held) <= limit)]
    text = "\n".join(rows)
    if write:
        panels = {"seconds": {DRIFT: {float(size): point.median for size, point in found.items()}}}
        panels["memory, MiB"] = {one: {float(n): p.memory[one] for n, p in found.items()} for one in COMPONENTS}
        curves(plot_path("run_history"), "A drift run beside ever more past ones", panels, "remembered runs")
        text += f"\n\n{picture('run_history', 'Seconds and memory over the remembered runs, logarithmic')}"
    publish("run_history", goals, text, write=write)


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__ or "", repetitions=3)
    airflow = Airflow()
    seed(airflow)
    repetitions = options.repetitions or (1 if options.quick else 3)
    report(measure(airflow, SIZES[:2] if options.quick else SIZES, repetitions), write=options.publish)
    airflow.close()


if __name__ == "__main__":
    main()
