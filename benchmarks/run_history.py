"""How a drift run's time and Airflow's memory grow with the runs that Airflow remembers: 10, 100, 1,000, 10,000.

    .venvs/dev/bin/python benchmarks/run_history.py

On the cluster. The runs are copies, in Airflow's database, of one real run with its tasks and results, a day apart and
named `bench__N`; so are as many drift reports in the pipeline's. All are deleted again. (Of rendered templates Airflow
keeps only the last thirty by itself; health reports and the audit log no drift run reads.) Time is that of a whole run
of seven tasks; memory what the main processes of scheduler and API server hold after the runs, and the database with
all its processes.
"""

import contextlib
import statistics
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

from document import Goal, picture, plot_path, publish
from drift_runs import CONF, DRIFT, drift_run, end_in_order, lasted, seed
from harness import options_of

from wakee_tools.airflow.client import Airflow

SIZES = (10, 100, 1_000, 10_000)
PREFIX = "bench__"
MAIN_PROCESS = "awk '/^VmRSS:/ {print $2}' /proc/1/status"
ALL_PROCESSES = "cat /proc/[0-9]*/smaps_rollup | awk '/^Pss:/ {sum += $2} END {print sum}'"  # what they share, once
MEMORY = {
    "scheduler": ("deploy/airflow-scheduler", MAIN_PROCESS),
    "API server": ("deploy/airflow-api-server", MAIN_PROCESS),
    "database": ("statefulset/airflow-database", ALL_PROCESSES),
}
"""Component -> its workload, and how to ask there for KiB of memory."""
METADATA, PIPELINE = ("airflow", "airflow-database-0"), ("wakee", "neondb-0")
"""Namespace and pod of Airflow's database, and of the one that the pipeline reads and writes."""
PSQL = 'PGPASSWORD=$POSTGRES_PASSWORD psql -h 127.0.0.1 -U "$POSTGRES_USER" -d "$POSTGRES_DB" -qv ON_ERROR_STOP=1 -f -'
COPY_RUNS = """
INSERT INTO dag_run SELECT copy.* FROM dag_run run, generate_series({first}, {last}) n,
    jsonb_populate_record(run, jsonb_build_object(
        'id', nextval('dag_run_id_seq'), 'run_id', '{prefix}' || n, 'run_after', run.run_after - n * interval '1 day'
    )) copy WHERE run.dag_id = '{dag}' AND run.run_id = '{model}';
INSERT INTO task_instance SELECT copy.* FROM task_instance task, generate_series({first}, {last}) n,
    jsonb_populate_record(task, jsonb_build_object('id', gen_random_uuid(), 'run_id', '{prefix}' || n)) copy
    WHERE task.dag_id = '{dag}' AND task.run_id = '{model}';
INSERT INTO xcom SELECT copy.* FROM xcom result, generate_series({first}, {last}) n, dag_run run,
    jsonb_populate_record(result, jsonb_build_object('dag_run_id', run.id, 'run_id', run.run_id)) copy
    WHERE result.dag_id = '{dag}' AND result.run_id = '{model}'
    AND run.dag_id = '{dag}' AND run.run_id = '{prefix}' || n;
ANALYZE;
"""
COPY_REPORTS = """
INSERT INTO drift_reports SELECT copy.* FROM drift_reports report, generate_series({first}, {last}) n,
    jsonb_populate_record(report, jsonb_build_object(
        'id', nextval('drift_reports_id_seq'), 'report_date', report.report_date - n, 'run_id', '{prefix}' || n
    )) copy WHERE report.report_date = '{day}' ON CONFLICT (report_date) DO NOTHING;
ANALYZE drift_reports;
"""
DELETE = "DELETE FROM {table} WHERE starts_with(run_id, '{prefix}');\nVACUUM ANALYZE;"


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
    _forget_all()  # what a benchmark left that was killed
    model, found, there = drift_run(airflow), dict[int, Point](), 0
    try:
        for size in sizes:
            _remember(model, there + 1, size)
            there = size
            seconds = [lasted(airflow.run(DRIFT, drift_run(airflow))) for _ in range(repetitions)]
            found[size] = Point(seconds, {component: _held_mib(component) for component in MEMORY})
            print(f"{size:,} remembered runs: {found[size].median:.1f} s", flush=True)
    finally:
        _forget_all()
    return found


def _remember(model: str, first: int, last: int) -> None:
    numbers = {"prefix": PREFIX, "first": first, "last": last}
    _sql(METADATA, COPY_RUNS.format(dag=DRIFT, model=model, **numbers))
    _sql(PIPELINE, COPY_REPORTS.format(day=CONF["until"], **numbers))


def _forget_all() -> None:
    """Delete the copies from both databases, from the second even where the first gives no answer."""
    with contextlib.ExitStack() as steps:
        steps.callback(_sql, PIPELINE, DELETE.format(table="drift_reports", prefix=PREFIX))
        # Tasks and results go with their run.
        steps.callback(_sql, METADATA, DELETE.format(table="dag_run", prefix=PREFIX))


def _sql(database: tuple[str, str], statements: str) -> None:
    namespace, pod = database
    command = ["kubectl", "exec", "-i", "-n", namespace, pod, "--", "sh", "-c", PSQL]
    done = subprocess.run(command, input=statements, text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{pod}: {done.stderr[-1000:]}")


def _held_mib(component: str) -> float:
    workload, question = MEMORY[component]
    command = ["kubectl", "exec", "-n", "airflow", workload, "--", "sh", "-c", question]
    return int(subprocess.run(command, text=True, capture_output=True, check=True).stdout) / 1024


def report(found: dict[int, Point], *, write: bool) -> None:
    """Table, goal and curves."""
    from plots import curves

    rows = [
        f"| remembered runs | seconds of a run | lowest to highest | {' | '.join(MEMORY)} |",
        "|---:|" + "---:|" * (2 + len(MEMORY)),
    ]
    for size, point in found.items():
        spread = f"{min(point.seconds):.1f} to {max(point.seconds):.1f}"
        memory = " | ".join(f"{point.memory[component]:.0f} MiB" for component in MEMORY)
        rows.append(f"| {size:,} | {point.median:.1f} | {spread} | {memory} |")
    first, last = min(found), max(found)
    growth = found[last].median / found[first].median
    held = max(found[last].memory[component] / found[first].memory[component] for component in MEMORY)
    limit = last / first
    measured = f"{growth:.2f} x the time of {first} runs; memory {held:.1f} x"
    goals = [Goal(f"growth with past DAG runs, to {last:,}", "at most linear", measured, max(growth, held) <= limit)]
    text = "\n".join(rows)
    if write:
        panels = {"seconds": {DRIFT: {float(size): point.median for size, point in found.items()}}}
        panels["memory, MiB"] = {one: {float(n): p.memory[one] for n, p in found.items()} for one in MEMORY}
        curves(plot_path("run_history"), "A drift run beside ever more past ones", panels, "remembered runs")
        text += f"\n\n{picture('run_history', 'Seconds and memory over the remembered runs, logarithmic')}"
    publish("run_history", goals, text, write=write)


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__ or "", repetitions=3)
    end_in_order()
    airflow = Airflow()
    seed(airflow)
    repetitions = options.repetitions or (1 if options.quick else 3)
    report(measure(airflow, SIZES[:2] if options.quick else SIZES, repetitions), write=options.publish)
    airflow.close()


if __name__ == "__main__":
    main()
