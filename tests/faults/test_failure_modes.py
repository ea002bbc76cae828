"""One fault at a time in the middle of a drift run. Whatever it is, the morning finds the same:

the run succeeded, its date has exactly one report, which is this run's, with its pages in R2, and no pod runs on.
docs/failure-modes.md is the table of these faults.
"""

import json
import subprocess
import time
from collections.abc import Callable
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date, timedelta

import pytest
from kubernetes import client
from kubernetes.client import V1DeleteOptions
from wakee_common.uris import R2Uri

from support.faults import out_of_order
from support.pods import running_pod
from support.waiting import wait_for

DAG = "drift_detection_daily"
FIRST_DAY = date(2015, 6, 30)
POLICY_V1 = 22
"""The minor version of Kubernetes since which evictions are of policy/v1."""


@dataclass(frozen=True)
class Fault:
    """Something that happens to `during`, and how long it lasts."""

    name: str
    during: str
    happen: Callable
    seconds: float = 0
    until: str = ""
    """The task that must be running before the seconds count."""
    tries: int | None = None
    """How many the task needs, where that is certain."""


def service(name: str, mode: str) -> Callable:
    return lambda kubernetes, _pod: out_of_order(kubernetes, name, mode)


def component(name: str) -> Callable:
    """A component of Airflow dies and is made anew."""

    @contextmanager
    def kill(kubernetes, _pod):
        selector = f"app.kubernetes.io/name={name}"
        for pod in kubernetes.list_namespaced_pod("airflow", label_selector=selector).items:
            now = V1DeleteOptions(grace_period_seconds=0)
            kubernetes.delete_namespaced_pod(pod.metadata.name, "airflow", body=now)
        command = ["kubectl", "rollout", "status", f"deployment/{name}", "-n", "airflow", "--timeout=180s"]
        subprocess.run(command, check=True, capture_output=True)
        yield

    return kill


def evicted(_kubernetes, pod):
    newer = int(client.VersionApi().get_code().minor.rstrip("+")) >= POLICY_V1
    eviction = {
        "apiVersion": "policy/v1" if newer else "policy/v1beta1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": "wakee"},
    }
    command = ["kubectl", "create", "--raw", f"/api/v1/namespaces/wakee/pods/{pod}/eviction", "-f", "-"]
    subprocess.run(command, input=json.dumps(eviction), text=True, check=True, capture_output=True)
    return nullcontext()


def sidecar_killed(_kubernetes, pod):
    """SIGINT is what the sidecar's shell ends by, before there is a result to read."""
    command = ["kubectl", "exec", "-n", "wakee", pod, "-c", "airflow-xcom-sidecar", "--", "sh", "-c", "kill -INT 1"]
    subprocess.run(command, check=True, capture_output=True)
    return nullcontext()


FAULTS = [
    Fault("S3 server gone", "load_predictions", service("r2", "gone"), 20),
    Fault("S3 server answers 503", "calculate_drift", service("r2", "unavailable"), 20),
    Fault("S3 connections cut", "load_predictions", service("r2", "cut"), 20),
    Fault("database gone", "generate_report", service("neondb", "gone"), 15, until="save_report"),
    Fault("database silent", "generate_report", service("neondb", "silent"), 15, until="save_report"),
    Fault("pod evicted", "calculate_drift", evicted, tries=2),
    Fault("XCom sidecar killed", "calculate_drift", sidecar_killed, tries=2),
    Fault("Airflow's scheduler killed", "calculate_drift", component("airflow-scheduler")),
    Fault("Airflow's API server killed", "calculate_drift", component("airflow-api-server")),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_a_fault_in_the_night(airflow, kubernetes, seed, query, store, fault):
    day = FIRST_DAY + timedelta(days=366 * FAULTS.index(fault))
    until = f"{day + timedelta(days=1)}T00:00:00"
    seed("--rows", "150", "--days", "30", "--until", until, "--labels-only", "--bias", "0", "--noise", "0.1")
    run_id = airflow.trigger(DAG, {"until": str(day)})
    pod = wait_for(lambda: running_pod(kubernetes, run_id, fault.during), 240, f"a running {fault.during} pod")

    with fault.happen(kubernetes, pod.metadata.name):
        if fault.until:
            wait_for(lambda: running_pod(kubernetes, run_id, fault.until), 240, f"a running {fault.until} pod")
        time.sleep(fault.seconds)
    airflow.wait(DAG, run_id, 600)

    assert airflow.run(DAG, run_id)["state"] == "success"
    assert fault.tries in (None, airflow.tasks(DAG, run_id)[fault.during]["try_number"])
    (report,) = query("SELECT run_id FROM drift_reports WHERE report_date = %s", day)
    assert report["run_id"] == run_id
    for address in ("html_uri", "json_uri", "png_uri"):
        uri = airflow.result(DAG, run_id, "generate_report")[address]
        assert store.get_bytes(R2Uri.parse(uri))
    wait_for(lambda: not _alive(kubernetes), 90, "no pod that runs on")


def _alive(kubernetes):
    pods = kubernetes.list_namespaced_pod("wakee", label_selector=f"wakee.io/dag-id={DAG}").items
    return [pod.metadata.name for pod in pods if pod.status.phase in {"Pending", "Running"}]
