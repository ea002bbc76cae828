"""What Airflow adds to a stage: every pod of a drift run against the very same container run bare, by nobody.

    .venvs/dev/bin/python benchmarks/stage_overhead.py

So, too, a stage that does nothing, which `benchmarks/dags/empty_stage.py` brings: once by our operator, and once by the
KubernetesPodOperator with nothing set but what the namespace demands of a pod.

The bare pod has the stage's image, command, environment, volumes, limits and security, but no XCom sidecar, and is made
through Kubernetes' API alone, in the place of `kubectl run`. It runs the stage again, which changes nothing. Where
Airflow's seconds go: `queued` until a worker has the task, `made` until its pod exists, `started` until the container
runs, `worked` until it ends, `ended` until Airflow knows the result. Kubernetes tells whole seconds, so `started` and
`worked` are the moments at which a watch heard of them; the kubelet itself looks once a second.
"""

import itertools
import statistics
import threading
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

from document import Goal, publish
from drift_runs import CONF, DRIFT, LONGEST_SECONDS, complete_run, end_in_order, lasted, seconds_at, seed
from extra_dag import extra_dag
from harness import REPO, options_of
from kubernetes import client, config, watch

from wakee_tools.airflow.client import Airflow

STAGES = ("fetch_annotations", "load_predictions", "calculate_drift", "generate_report", "save_report")
EMPTY = REPO / "benchmarks" / "dags" / "empty_stage.py"
OURS, DEFAULT = "empty_stage", "default_operator"
PHASES = ("queued", "made", "started", "worked", "ended")
GOAL_SECONDS = 3.0
NAMESPACE = "wakee"


class Watcher(threading.Thread):
    """Hears when each pod is made, runs and ends, on this machine's clock."""

    def __init__(self, core: client.CoreV1Api) -> None:
        super().__init__(daemon=True)
        self.core, self.heard = core, defaultdict[str, dict[str, float]](dict)
        self.pods: dict[str, client.V1Pod] = {}
        self.start()

    def run(self) -> None:
        """Listen until the program ends."""
        while True:
            for event in watch.Watch().stream(self.core.list_namespaced_pod, NAMESPACE, timeout_seconds=300):
                self._note(event["object"], time.time())

    def _note(self, pod: client.V1Pod, now: float) -> None:
        name = pod.metadata.name
        self.pods.setdefault(name, pod)
        self.heard[name].setdefault("made", now)
        for status in pod.status.container_statuses or []:
            if status.name == "base" and status.state.running:
                self.heard[name].setdefault("started", now)
            if status.name == "base" and (end := status.state.terminated):
                # Of a container that ran for a moment only its end may be heard of.
                self.heard[name].setdefault("started", max(self.heard[name]["made"], end.started_at.timestamp()))
                self.heard[name].setdefault("worked", now)


@dataclass
class Timings:
    """Seconds of each phase of each stage, of the stages' bare pods, and of whole runs."""

    phases: dict[str, list[list[float]]] = field(default_factory=lambda: defaultdict(list))
    bare: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    whole: list[float] = field(default_factory=list)

    def difference(self, stage: str) -> float:
        """What Airflow adds to a stage."""
        return statistics.median(map(sum, self.phases[stage])) - statistics.median(self.bare[stage])


def airflow_run(airflow: Airflow, watcher: Watcher, dag: str, stages: Sequence[str], timings: Timings) -> list[str]:
    """One run of a DAG, noted in the timings; the names of its stages' pods."""
    run_id = complete_run(airflow, dag, CONF if dag == DRIFT else {}, stages)
    tasks, names = airflow.tasks(dag, run_id), []
    for stage in stages:
        path = f"dags/{dag}/dagRuns/{run_id}/taskInstances/{stage}/xcomEntries/pod_name"
        names.append(airflow.call("GET", path)["value"])
        heard = watcher.heard[names[-1]]
        begin, taken, end = (seconds_at(tasks[stage][key]) for key in ("scheduled_when", "start_date", "end_date"))
        moments = [begin, taken, heard["made"], heard["started"], heard["worked"], end]
        timings.phases[stage].append([later - earlier for earlier, later in itertools.pairwise(moments)])
    timings.whole.append(lasted(airflow.run(dag, run_id)))
    return names


def bare_seconds(watcher: Watcher, pod: client.V1Pod) -> float:
    """The same container in a pod of its own, from the request to the moment its end is heard of."""
    spec, name = pod.spec, f"bare-{pod.metadata.name}"[:60] + str(time.time_ns() % 100)
    spec.containers = [container for container in spec.containers if container.name == "base"]
    spec.node_name = None
    begun = time.time()
    body = client.V1Pod(metadata=client.V1ObjectMeta(name=name, labels={"wakee.io/benchmark": "bare"}), spec=spec)
    watcher.core.create_namespaced_pod(NAMESPACE, body)
    try:
        _wait_for_success(watcher, name)
    finally:
        watcher.core.delete_namespaced_pod(name, NAMESPACE, grace_period_seconds=0)
    return watcher.heard[name]["worked"] - begun


def _wait_for_success(watcher: Watcher, name: str) -> None:
    deadline = time.time() + LONGEST_SECONDS
    while "worked" not in watcher.heard[name]:
        if time.time() > deadline:
            raise TimeoutError(f"pod {name} has not ended in {LONGEST_SECONDS} s: is there a node with room for it?")
        time.sleep(0.01)  # the frequency does not matter: the watcher records the time
    ended = watcher.core.read_namespaced_pod(name, NAMESPACE).status.container_statuses[0].state.terminated
    if ended.exit_code:
        raise RuntimeError(f"pod {name} ended with {ended.exit_code}: {ended.message or ended.reason}")


def measure(airflow: Airflow, watcher: Watcher, dag: str, stages: Sequence[str], repetitions: int) -> Timings:
    """In turns: a run by Airflow, then each of its pods bare."""
    timings = Timings()
    for number in range(repetitions):
        names = airflow_run(airflow, watcher, dag, stages, timings)
        for stage, name in zip(stages, names, strict=True):
            timings.bare[stage].append(bare_seconds(watcher, watcher.pods[name]))
        print(f"{dag}, turn {number + 1} of {repetitions}: {timings.whole[-1]:.1f} s", flush=True)
    return timings


def table(timings: Timings) -> str:
    """Medians as a table."""
    rows = [f"| stage | {' | '.join(PHASES)} | Airflow | bare pod | difference |", "|---|" + "---:|" * 8]
    for stage, phases in timings.phases.items():
        medians = [statistics.median(column) for column in zip(*phases, strict=True)]
        total, alone = statistics.median(map(sum, phases)), statistics.median(timings.bare[stage])
        cells = " | ".join(f"{seconds:.1f}" for seconds in (*medians, total, alone, timings.difference(stage)))
        rows.append(f"| `{stage}` | {cells} |")
    return "\n".join(rows)


def report(drift: Timings, empty: Timings, *, write: bool) -> None:
    """Tables and goals."""
    worst, ours, default = max(map(drift.difference, STAGES)), empty.difference(OURS), empty.difference(DEFAULT)
    limit = f"at most {GOAL_SECONDS:g} s"
    goals = [
        Goal("a stage of the drift DAG, over a bare pod", limit, f"{worst:.1f} s at the most", worst <= GOAL_SECONDS),
        Goal("an empty stage, over a bare pod", limit, f"{ours:.1f} s", ours <= GOAL_SECONDS),
        Goal("the same by the operator with default settings", "-", f"{default:.1f} s", None),
    ]
    spread = f"{statistics.median(drift.whole):.1f} s ({min(drift.whole):.1f} to {max(drift.whole):.1f})"
    text = f"{table(drift)}\n\nThe whole run of seven tasks: {spread}."
    text += f"\n\n**A stage that does nothing**\n\n{table(empty)}"
    publish("stage_overhead", goals, text, write=write)


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__ or "", repetitions=5)
    repetitions = options.repetitions or (1 if options.quick else 5)
    end_in_order()
    config.load_kube_config()
    airflow, watcher = Airflow(), Watcher(client.CoreV1Api())
    seed(airflow)
    drift = measure(airflow, watcher, DRIFT, STAGES, repetitions)
    with extra_dag(airflow, EMPTY) as dag:
        empty = measure(airflow, watcher, dag, (OURS, DEFAULT), repetitions)
    airflow.close()
    report(drift, empty, write=options.publish)


if __name__ == "__main__":
    main()
