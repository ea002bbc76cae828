"""A DAG that Airflow on the cluster has for a while: a file mounted beside those of the image, then taken away."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from kubernetes import client
from tenacity import retry, retry_if_result, stop_after_delay, wait_fixed

from ops.airflow import Airflow

NAMESPACE, NAME = "airflow", "benchmark-dag"
READERS = ("airflow-scheduler", "airflow-dag-processor")
"""Deployments that read DAG files: tasks run in the scheduler's pod."""
DAGS_FOLDER = "/opt/airflow/dags"
RESTART_SECONDS = 180


@contextlib.contextmanager
def extra_dag(airflow: Airflow, file: Path) -> Iterator[str]:
    """Mount the file, which restarts what reads it; yields the DAG's id, which is the file's name."""
    core, apps, dag = client.CoreV1Api(), client.AppsV1Api(), file.stem
    saved = {name: apps.read_namespaced_deployment(name, NAMESPACE).spec.template for name in READERS}
    metadata = client.V1ObjectMeta(name=NAME)
    core.create_namespaced_config_map(
        NAMESPACE, client.V1ConfigMap(metadata=metadata, data={file.name: file.read_text()})
    )
    try:
        for name in READERS:
            apps.patch_namespaced_deployment(name, NAMESPACE, _mounted(file.name))
        _wait_until_restarted(apps)
        airflow.wait_for_dags({dag}, RESTART_SECONDS)
        yield dag
    finally:
        for name, template in saved.items():
            put_back = [
                {
                    "op": "replace",
                    "path": "/spec/template",
                    "value": core.api_client.sanitize_for_serialization(template),
                }
            ]
            apps.patch_namespaced_deployment(name, NAMESPACE, put_back)
        core.delete_namespaced_config_map(NAME, NAMESPACE)
        _wait_until_restarted(apps)
        airflow.call("DELETE", f"dags/{dag}")


def _mounted(name: str) -> dict[str, object]:
    mount = {"name": NAME, "mountPath": f"{DAGS_FOLDER}/{name}", "subPath": name}
    volume = {"name": NAME, "configMap": {"name": NAME}}
    return {
        "spec": {
            "template": {"spec": {"containers": [{"name": "airflow", "volumeMounts": [mount]}], "volumes": [volume]}}
        }
    }


@retry(retry=retry_if_result(bool), stop=stop_after_delay(RESTART_SECONDS), wait=wait_fixed(1))
def _wait_until_restarted(apps: client.AppsV1Api) -> list[str]:
    """Those that have not restarted yet, until there is none."""
    found = [apps.read_namespaced_deployment(name, NAMESPACE) for name in READERS]
    return [one.metadata.name for one in found if not _settled(one)]


def _settled(deployment: client.V1Deployment) -> bool:
    status, wanted = deployment.status, deployment.spec.replicas
    seen = status.observed_generation >= deployment.metadata.generation
    return bool(seen and status.updated_replicas == status.replicas == status.ready_replicas == wanted)
