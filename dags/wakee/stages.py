"""The stage factory, which defines the pods of all stages.

Airflow's DAG processor forks a process for each parsing of a DAG file. Before the fork it imports the Airflow modules
that the file itself imports. So each DAG file imports the operator, whose import would take most of the parsing time.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from kubernetes.client import models as k8s

from wakee.config import PipelineConfig
from wakee.operators import StageOperator
from wakee.resources import StageResources, check_names, stage_resources

check_names()
CONFIG = PipelineConfig()

# Pod Security Standard "restricted". 10001 is not a user of the host.
POD_SECURITY = k8s.V1PodSecurityContext(
    run_as_non_root=True,
    run_as_user=10001,
    run_as_group=10001,
    fs_group=10001,
    seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
)
CONTAINER_SECURITY = k8s.V1SecurityContext(
    allow_privilege_escalation=False,
    read_only_root_filesystem=True,
    run_as_non_root=True,
    capabilities=k8s.V1Capabilities(drop=["ALL"]),
    seccomp_profile=k8s.V1SeccompProfile(type="RuntimeDefault"),
)

# Kubernetes' default is 5 minutes.
LOST_NODE = [
    k8s.V1Toleration(key=f"node.kubernetes.io/{taint}", operator="Exists", effect="NoExecute", toleration_seconds=30)
    for taint in ("not-ready", "unreachable")
]

# Short stages are watched by the task itself. A failed one is retried after 15 s, then 30 s, ...
RETRIES: dict[str, Any] = {
    "retries": 2,
    "retry_delay": timedelta(seconds=15),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=10),
}
DEFAULT_ARGS: dict[str, Any] = {"owner": "wakee-mlops", **RETRIES}


def result(task_id: str, key: str) -> str:
    """Return a template for a field of an upstream result. Rendering fails if there is no result."""
    return f"{{{{ ti.xcom_pull(task_ids='{task_id}')['{key}'] }}}}"


def optional_result(task_id: str, key: str) -> str:
    """Return a template for a field that results of earlier versions do not have; empty without it."""
    return f"{{{{ ti.xcom_pull(task_ids='{task_id}').get('{key}') or '' }}}}"


def switch(name: str) -> str:
    """Return a template for the flag of a boolean parameter: `--name` or `--no-name`."""
    flag = name.replace("_", "-")
    return f"{{{{ '--{flag}' if params.{name} else '--no-{flag}' }}}}"


def stage(
    image: str,
    task_id: str,
    *arguments: str,
    extended_resources: dict[str, str] | None = None,
    timeout: timedelta = timedelta(minutes=30),
    grace_seconds: int = 30,
    **options: Any,
) -> StageOperator:
    """Create a task that runs one stage command in its own pod.

    The pod's resources are defined in `wakee.resources`. A stage's pod still exists when the next stage's pod is
    created. Without room for both, the next one waits until the Kubernetes scheduler retries.

    Args:
        image: Name of the image, e.g. `drift`. Its entry point is the command line of the stages.
        task_id: Name of the task. The stage's command is the same with dashes.
        arguments: Flags of the command; templates allowed.
        extended_resources: Further resources of the pod, e.g. `{"nvidia.com/gpu": "1"}`.
        timeout: Time limit of one attempt.
        grace_seconds: How long the stage may continue after SIGTERM, when its pod is deleted, its node is drained or
            its time limit is reached. A kubelet that is short of disk or memory may not wait as long.
        options: Other arguments of the operator, e.g. `deferrable=True`.
    """
    resources = stage_resources(task_id)
    return StageOperator(
        task_id=task_id,
        name=f"wakee-{task_id.replace('_', '-')}",
        image=CONFIG.image(image),
        arguments=[task_id.replace("_", "-"), *arguments],
        env_vars=_run_context(image),
        container_resources=_container_resources(resources, extended_resources or {}),
        volumes=[_empty_dir("tmp", size_limit=resources.scratch), *options.pop("volumes", [])],
        volume_mounts=[k8s.V1VolumeMount(name="tmp", mount_path="/tmp"), *options.pop("volume_mounts", [])],  # noqa: S108
        labels={
            "app.kubernetes.io/name": f"wakee-{image}",
            "app.kubernetes.io/component": task_id,
            "app.kubernetes.io/part-of": "wakee",
            "app.kubernetes.io/version": CONFIG.version,
        },
        execution_timeout=timeout,
        termination_grace_period=grace_seconds,
        tolerations=[*LOST_NODE, *options.pop("tolerations", [])],
        active_deadline_seconds=int(timeout.total_seconds()) + options.get("schedule_timeout_seconds", 300),
        **_pod_defaults(),
        **{"startup_timeout_seconds": 300, "schedule_timeout_seconds": 300} | options,
    )


CONTAINER = "airflow-stage"
"""Sorts before `airflow-xcom-sidecar`, because `kubectl get pods` shows the state of the first container by name."""


def _pod_defaults() -> dict[str, Any]:
    """Return the options that all stage pods share."""
    return {
        "namespace": CONFIG.namespace,
        "base_container_name": CONTAINER,
        "env_from": _env_from(),
        "service_account_name": CONFIG.service_account,
        "automount_service_account_token": False,
        "security_context": POD_SECURITY,
        "container_security_context": CONTAINER_SECURITY,
        "priority_class_name": CONFIG.priority_class,
        "image_pull_policy": "IfNotPresent",
        "image_pull_secrets": (
            [k8s.V1LocalObjectReference(CONFIG.image_pull_secret)] if CONFIG.image_pull_secret else None
        ),
        # A stage writes its cause. If the process ends before the stage starts (a wrong flag), its last lines are used.
        "termination_message_policy": "FallbackToLogsOnError",
        # The result is returned by the XCom sidecar, whose image and security context are set in the connection.
        "do_xcom_push": True,
        "disruption_budget": CONFIG.disruption_budget,
        # A failed pod is kept for inspection, until an attempt at least a week later deletes it (StageOperator).
        "on_finish_action": "delete_succeeded_pod",
        "get_logs": True,
        "log_events_on_failure": True,
        # The pod's specification has thousands of lines. Its events and states are more useful.
        "log_pod_spec_on_failure": False,
        "container_name_log_prefix_enabled": False,
        "startup_check_interval_seconds": 1,
        "poll_interval": 1,
    }


def _run_context(image: str) -> dict[str, str]:
    """Return the run context for the run record (wakee_common.settings.RunContext)."""
    return {
        "WAKEE_DAG_ID": "{{ dag.dag_id }}",
        "WAKEE_RUN_ID": "{{ run_id }}",
        "WAKEE_TASK_ID": "{{ task.task_id }}",
        "WAKEE_TRY_NUMBER": "{{ ti.try_number }}",
        "WAKEE_IMAGE": CONFIG.image(image),
    }


def _env_from() -> list[k8s.V1EnvFromSource]:
    """Return the sources of environment variables. Secrets reach a stage only this way."""
    return [
        k8s.V1EnvFromSource(config_map_ref=k8s.V1ConfigMapEnvSource(name=CONFIG.config_name)),
        k8s.V1EnvFromSource(secret_ref=k8s.V1SecretEnvSource(name=CONFIG.secret_name)),
    ]


def _container_resources(resources: StageResources, extended: dict[str, str]) -> k8s.V1ResourceRequirements:
    limits = {"memory": resources.memory, "ephemeral-storage": resources.scratch, **extended}
    requests = {"cpu": resources.cpu, **limits, "memory": resources.memory_request}
    return k8s.V1ResourceRequirements(requests=requests, limits=limits)


def _empty_dir(name: str, **options: Any) -> k8s.V1Volume:
    return k8s.V1Volume(name=name, empty_dir=k8s.V1EmptyDirVolumeSource(**options))
