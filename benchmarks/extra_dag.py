"""A DAG that Airflow on the cluster has for a while: a file mounted beside those of the image, then taken away."""

import contextlib
import subprocess
from collections.abc import Iterator
from http import HTTPStatus
from pathlib import Path

from kubernetes import client
from tenacity import retry, retry_if_exception, stop_after_delay, wait_fixed

from wakee_tools.airflow.client import FINAL_STATES, Airflow, AirflowError

NAMESPACE, NAME = "airflow", "benchmark-dag"
READERS = ("airflow-scheduler", "airflow-dag-processor")
"""Deployments that read DAG files: tasks run in the scheduler's pod."""
DAGS_FOLDER = "/opt/airflow/dags"
RESTART_SECONDS = 180
REMOVED = {"$patch": "delete"}


@contextlib.contextmanager
def extra_dag(airflow: Airflow, file: Path) -> Iterator[str]:
    """Mount the file, which restarts what reads it; yields the DAG's id, which is the file's name.

    What a benchmark left that was killed is taken away first.
    """
    core, apps, dag = client.CoreV1Api(), client.AppsV1Api(), file.stem
    _take_away(airflow, core, apps, file)
    try:
        config_map = client.V1ConfigMap(metadata=client.V1ObjectMeta(name=NAME), data={file.name: file.read_text()})
        core.create_namespaced_config_map(NAMESPACE, config_map)
        for name in READERS:
            apps.patch_namespaced_deployment(name, NAMESPACE, _mounted(file.name))
        _wait_until_restarted()
        airflow.wait_for_dags({dag}, RESTART_SECONDS)
        yield dag
    finally:
        _take_away(airflow, core, apps, file)


def _take_away(airflow: Airflow, core: client.CoreV1Api, apps: client.AppsV1Api, file: Path) -> None:
    """Leave nothing of the DAG, be there much of it or little; each step is taken, whatever becomes of the others."""
    with contextlib.ExitStack() as steps:  # the last one named comes first
        steps.callback(_delete, airflow, file.stem)
        steps.callback(_wait_until_restarted)
        steps.callback(_delete_config_map, core)
        for name in READERS:
            steps.callback(apps.patch_namespaced_deployment, name, NAMESPACE, _mounted(file.name, **REMOVED))
        steps.callback(_end_runs, airflow, file.stem)


def _mounted(name: str, **directive: str) -> dict[str, object]:
    """A deployment's strategic merge patch that puts the mount in, or takes it out where the directive says so."""
    mount = {"name": NAME, "mountPath": f"{DAGS_FOLDER}/{name}", "subPath": name, **directive}
    volume = {"name": NAME, "configMap": {"name": NAME}, **directive}
    return {
        "spec": {
            "template": {"spec": {"containers": [{"name": "airflow", "volumeMounts": [mount]}], "volumes": [volume]}}
        }
    }


def _end_runs(airflow: Airflow, dag: str) -> None:
    """Fail what still runs, which ends its pods: Airflow deletes no DAG with running tasks."""
    for run in airflow.runs(dag) if dag in airflow.dags() else []:
        if run["state"] not in FINAL_STATES:
            airflow.call("PATCH", f"dags/{dag}/dagRuns/{run['dag_run_id']}", json={"state": "failed"})


def _delete_config_map(core: client.CoreV1Api) -> None:
    try:
        core.delete_namespaced_config_map(NAME, NAMESPACE)
    except client.ApiException as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise


def _still_running(error: BaseException) -> bool:
    return isinstance(error, AirflowError) and error.status == HTTPStatus.CONFLICT


@retry(
    retry=retry_if_exception(_still_running), stop=stop_after_delay(RESTART_SECONDS), wait=wait_fixed(2), reraise=True
)
def _delete(airflow: Airflow, dag: str) -> None:
    try:
        airflow.call("DELETE", f"dags/{dag}")
    except AirflowError as error:
        if error.status != HTTPStatus.NOT_FOUND:
            raise


def _wait_until_restarted() -> None:
    for name in READERS:
        wait = ["kubectl", "rollout", "status", "-n", NAMESPACE, f"deployment/{name}", f"--timeout={RESTART_SECONDS}s"]
        subprocess.run(wait, check=True, stdout=subprocess.DEVNULL)
