"""Find the pods of a run."""

from kubernetes import client


def running_pod(kubernetes: client.CoreV1Api, run_id: str, task_id: str) -> client.V1Pod | None:
    """Find the running pod of a task of exactly this run. Other runs of the DAG may have pods, too."""
    pods = kubernetes.list_namespaced_pod("wakee", label_selector=f"wakee.io/task-id={task_id}").items
    return next((pod for pod in pods if pod.status.phase == "Running" and _run_of(pod) == run_id), None)


def _run_of(pod: client.V1Pod) -> str | None:
    variables = [variable for container in pod.spec.containers for variable in container.env or []]
    return next((variable.value for variable in variables if variable.name == "WAKEE_RUN_ID"), None)
