"""What Airflow adds to a stage: every pod of a drift run against the very same container run bare, by nobody.

    PYTHONPATH=hack .venvs/dev/bin/python benchmarks/stage_overhead.py

The bare pod has the stage's image, command, environment, limits and security, but no XCom sidecar, and is made through
Kubernetes' API alone, in the place of `kubectl run`. It runs the stage again, which changes nothing. Where Airflow's
seconds go: `queued` until a worker has the task, `made` until its pod exists, `started` until the container runs,
`worked` until it ends, `ended` until Airflow knows the result. Kubernetes tells whole seconds, so `started` and
`worked` are the moments at which a watch heard of them.
"""

import itertools
import statistics
import subprocess
import threading
import time
from collections import defaultdict
from datetime import datetime
from typing import Any

from document import Goal, publish
from harness import REPO, options_of
from kubernetes import client, config, watch

from ops.airflow import Airflow

DAG = "drift_detection_daily"
DAY = "2012-06-29"
STAGES = ("fetch_annotations", "load_predictions", "calculate_drift", "generate_report", "save_report")
PHASES = ("queued", "made", "started", "worked", "ended")
GOAL_SECONDS = 3.0
LONGEST_SECONDS = 300
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


def airflow_run(airflow: Airflow, watcher: Watcher) -> tuple[dict[str, list[float]], dict[str, client.V1Pod], float]:
    """One run of the DAG: the seconds of each phase of each stage, the pods, and the whole run's seconds."""
    run_id = airflow.trigger(DAG, {"until": DAY, "threshold": 3})
    airflow.wait(DAG, run_id, 300)
    tasks = airflow.tasks(DAG, run_id)
    times, pods = {}, {}
    for stage in STAGES:
        pods[stage] = next(pod for pod in watcher.pods.values() if _belongs(pod, run_id, stage))
        heard = watcher.heard[pods[stage].metadata.name]
        begin, taken, end = (_seconds(tasks[stage][key]) for key in ("scheduled_when", "start_date", "end_date"))
        moments = [begin, taken, heard["made"], heard["started"], heard["worked"], end]
        times[stage] = [later - earlier for earlier, later in itertools.pairwise(moments)]
    whole = airflow.run(DAG, run_id)
    return times, pods, _seconds(whole["end_date"]) - _seconds(whole["queued_at"])


def bare_seconds(core: client.CoreV1Api, watcher: Watcher, pod: client.V1Pod) -> float:
    """The same container in a pod of its own, from the request to the moment its end is heard of."""
    spec, name = pod.spec, f"bare-{pod.metadata.name}"[:60] + str(time.time_ns() % 100)
    spec.containers = [container for container in spec.containers if container.name == "base"]
    spec.containers[0].volume_mounts = [m for m in spec.containers[0].volume_mounts if m.name != "xcom"]
    spec.volumes = [volume for volume in spec.volumes if volume.name != "xcom"]
    spec.node_name = None
    begun = time.time()
    body = client.V1Pod(metadata=client.V1ObjectMeta(name=name, labels={"wakee.io/benchmark": "bare"}), spec=spec)
    core.create_namespaced_pod(NAMESPACE, body)
    deadline = begun + LONGEST_SECONDS
    while "worked" not in watcher.heard[name]:
        if time.time() > deadline:
            raise TimeoutError(
                f"pod {name} has not ended in {LONGEST_SECONDS} s: kubectl describe pod -n {NAMESPACE} {name}"
            )
        time.sleep(0.01)  # how often is all the same: the watcher notes the moment
    core.delete_namespaced_pod(name, NAMESPACE, grace_period_seconds=0)
    return watcher.heard[name]["worked"] - begun


def measure(repetitions: int) -> tuple[dict[str, list[list[float]]], dict[str, list[float]], list[float]]:
    """In turns: a run by Airflow, then each of its pods bare."""
    config.load_kube_config()
    core, airflow = client.CoreV1Api(), Airflow()
    watcher = Watcher(core)
    phases, bare, whole = defaultdict[str, list[list[float]]](list), defaultdict[str, list[float]](list), []
    for number in range(repetitions):
        times, pods, seconds = airflow_run(airflow, watcher)
        whole.append(seconds)
        for stage in STAGES:
            phases[stage].append(times[stage])
            bare[stage].append(bare_seconds(core, watcher, pods[stage]))
        print(f"turn {number + 1} of {repetitions}: the whole run {seconds:.1f} s", flush=True)
    airflow.close()
    return phases, bare, whole


def table(phases: dict[str, list[list[float]]], bare: dict[str, list[float]]) -> tuple[str, float]:
    """Medians as a table, and the largest difference to a bare pod."""
    rows = [f"| stage | {' | '.join(PHASES)} | Airflow | bare pod | difference |", "|---|" + "---:|" * 8]
    differences = []
    for stage in STAGES:
        medians = [statistics.median(column) for column in zip(*phases[stage], strict=True)]
        total, alone = statistics.median(map(sum, phases[stage])), statistics.median(bare[stage])
        differences.append(total - alone)
        cells = " | ".join(f"{seconds:.1f}" for seconds in (*medians, total, alone, total - alone))
        rows.append(f"| `{stage}` | {cells} |")
    return "\n".join(rows), max(differences)


def _belongs(pod: client.V1Pod, run_id: str, stage: str) -> bool:
    labels: dict[str, str] = pod.metadata.labels or {}
    variables: Any = pod.spec.containers[0].env or []
    return labels.get("wakee.io/task-id") == stage and any(variable.value == run_id for variable in variables)


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()


def main() -> None:
    """Measure and tell."""
    options = options_of(__doc__ or "", repetitions=5)
    seeding = ["--rows", "200", "--days", "30", "--until", "2012-06-30T00:00:00", "--labels-only"]
    subprocess.run([REPO / "hack" / "seed.sh", *seeding], check=True, stdout=subprocess.DEVNULL)
    phases, bare, whole = measure(options.repetitions or (1 if options.quick else 5))
    text, worst = table(phases, bare)
    spread = f"{statistics.median(whole):.1f} s ({min(whole):.1f} to {max(whole):.1f})"
    goals = [Goal("a stage, over a bare pod", "at most 3 s", f"{worst:.1f} s at the most", worst <= GOAL_SECONDS)]
    publish("stage_overhead", goals, f"{text}\n\nThe whole run of seven tasks: {spread}.", write=options.publish)


if __name__ == "__main__":
    main()
