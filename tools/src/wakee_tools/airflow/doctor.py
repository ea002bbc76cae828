"""`make doctor`: check everything that the pipelines need, with a remedy for each failure."""

import json
import subprocess
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from kubernetes.utils.quantity import parse_quantity
from rich.markup import escape

from wakee_tools.airflow.client import Airflow, AirflowError
from wakee_tools.shell import console

HEALTH = "health_check_weekly"
GPU = "nvidia.com/gpu"
OLDEST_KUBERNETES = (1, 20)
AIRFLOW_REMEDY = "kubectl get pods -n airflow; kubectl logs -n airflow deploy/airflow-api-server; make deploy"
WANTED_SECRETS = {"NEON_DATABASE_URL", "R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "HF_TOKEN"}


class Finding(NamedTuple):
    """The result of one check; `remedy` is empty if it passed."""

    what: str
    found: str
    remedy: str = ""


class UnhealthyError(Exception):
    """A check failed: the finding and its remedy."""

    def __init__(self, found: str, remedy: str) -> None:
        super().__init__(found)
        self.remedy = remedy


def examine(airflow: Airflow, deep: bool) -> bool:
    """Run the checks and print a line for each. Returns whether all passed.

    Args:
        airflow: The installation.
        deep: Also run the health check, which tests credentials and connections from inside the cluster.
    """
    healthy = True
    for finding in _findings(airflow, deep):
        mark = "[red]✗[/]" if finding.remedy else "[green]✓[/]"
        console.print(f"{mark} {finding.what:24s} {escape(finding.found)}", soft_wrap=True)
        if finding.remedy:
            healthy = False
            console.print(f"  remedy: {escape(finding.remedy)}", soft_wrap=True)
    return healthy


def _findings(airflow: Airflow, deep: bool) -> Iterator[Finding]:
    checks: dict[str, Callable[[], str]] = {
        "Kubernetes": _version,
        "nodes": _nodes,
        "GPUs": _gpus,
        "quota of wakee": _quota,
        "Secret wakee-secrets": _secrets,
        "Airflow": lambda: _components(airflow),
        "DAG files": lambda: _dags(airflow),
    }
    if deep:
        checks["services, from inside"] = lambda: _services(airflow)
    for what, check in checks.items():
        try:
            yield Finding(what, check())
        except UnhealthyError as error:
            yield Finding(what, str(error), error.remedy)
        except AirflowError as error:
            yield Finding(what, f"Airflow: {error}", AIRFLOW_REMEDY)


def _kubectl(*arguments: str) -> dict[str, Any]:
    command = ["kubectl", *arguments, "-o", "json", "--request-timeout=10s"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise UnhealthyError(done.stderr.strip().splitlines()[-1], "make cluster (or check KUBECONFIG), then make up")
    return dict(json.loads(done.stdout))


def _version() -> str:
    server = _kubectl("version")["serverVersion"]
    if (int(server["major"]), int(server["minor"].rstrip("+"))) < OLDEST_KUBERNETES:
        raise UnhealthyError(server["gitVersion"], "upgrade the cluster: 1.20 is the oldest version that was tested")
    return str(server["gitVersion"])


def _nodes() -> str:
    nodes = _kubectl("get", "nodes")["items"]
    bad = [
        f"{node['metadata']['name']}: {condition['type']}"
        for node in nodes
        for condition in node["status"]["conditions"]
        if (condition["status"] == "True") != (condition["type"] == "Ready")
    ]
    if bad:
        raise UnhealthyError(
            ", ".join(bad), "look at kubectl describe node, then free the node's disk or memory, or restart its kubelet"
        )
    return f"{len(nodes)} ready"


def _gpus() -> str:
    maps = _kubectl("get", "configmaps", "-n", "airflow", "--sort-by=.metadata.creationTimestamp")["items"]
    # On the local cluster, the ConfigMap's name has a suffix.
    settings: dict[str, str] = next(
        (m["data"] for m in reversed(maps) if m["metadata"]["name"].startswith("wakee-images")), {}
    )
    wanted, resource = int(settings.get("WAKEE_GPU_COUNT", 0)), settings.get("WAKEE_GPU_RESOURCE", GPU)
    nodes = _kubectl("get", "nodes")["items"]
    most = max(int(node["status"]["allocatable"].get(resource, 0)) for node in nodes)
    found = f"fine_tune asks for {wanted} {resource}, a node has up to {most}"
    if wanted > most:
        remedy = (
            "check that the device plugin runs. An autoscaled pool may be empty. WAKEE_GPU_COUNT=0 trains on the CPU"
        )
        raise UnhealthyError(found, remedy)
    return found


def _quota() -> str:
    usage = [
        (name, quota["status"].get("used", {}).get(name, "0"), hard)
        for quota in _kubectl("get", "resourcequota", "-n", "wakee")["items"]
        for name, hard in quota["status"].get("hard", {}).items()
    ]
    usage_line = ", ".join(f"{used} of {hard} {name}" for name, used, hard in usage) or "none"
    # All GPUs in use is normal during a training.
    full = [n for n, used, hard in usage if "gpu" not in n and parse_quantity(used) >= parse_quantity(hard)]
    if full:
        raise UnhealthyError(
            usage_line, f"wait for runs to end, or raise the quota of {', '.join(full)} (k8s/base/limits.yaml)"
        )
    return usage_line


def _secrets() -> str:
    keys = _kubectl("get", "secret", "wakee-secrets", "-n", "wakee").get("data", {}).keys()
    if missing := WANTED_SECRETS - keys:
        raise UnhealthyError(
            f"missing keys: {', '.join(sorted(missing))}", "fill in .env (see .env.example) and apply the Secret again"
        )
    return f"{len(keys)} keys"


def _components(airflow: Airflow) -> str:
    health = airflow.call("GET", "monitor/health")
    sick = [name for name, part in health.items() if part["status"] not in {"healthy", None}]
    if sick:
        raise UnhealthyError(
            f"not healthy: {', '.join(sick)}", "look at kubectl get pods -n airflow, and at the logs of that component"
        )
    return "healthy"


def _dags(airflow: Airflow) -> str:
    errors = airflow.call("GET", "importErrors")["import_errors"]
    if errors:
        raise UnhealthyError(
            f"{errors[0]['filename']}: {errors[0]['stack_trace'].splitlines()[-1]}", "correct that file"
        )
    paused = sorted(name for name, dag in airflow.dags().items() if dag["is_paused"])
    return f"{len(airflow.dags())} read" + (f"; paused: {', '.join(paused)}" if paused else "")


def _services(airflow: Airflow) -> str:
    paused = airflow.dags()[HEALTH]["is_paused"]
    airflow.unpause(HEALTH)
    try:
        run_id = airflow.trigger(HEALTH)
        states = airflow.wait(HEALTH, run_id, 900)
    finally:
        airflow.call("PATCH", f"dags/{HEALTH}", json={"is_paused": paused})
    red = [task for task, state in states.items() if state != "success"]
    if red:
        causes = "; ".join(f"{task}: {_cause(airflow, run_id, task)}" for task in red)
        raise UnhealthyError(causes, f"docs/runbooks/health-red.md; make logs DAG={HEALTH} TASK={red[0]}")
    return "API, database, storage, sourcing page and model hub are healthy"


def _cause(airflow: Airflow, run_id: str, task_id: str) -> str:
    try:
        return str(airflow.result(HEALTH, run_id, task_id)["cause"])
    except (AirflowError, KeyError):
        return f"wrote no result, see kubectl describe pod -n wakee -l wakee.io/task-id={task_id}"
