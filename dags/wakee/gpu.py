"""Pod options for stages that run on GPUs, from the cluster's settings."""

from __future__ import annotations

from typing import Any

from kubernetes.client import models as k8s

from wakee.config import PipelineConfig


def gpu_options(config: PipelineConfig, *, shared_memory: str) -> dict[str, Any]:
    """Return options for `stage(...)`: number of GPUs, node selection, /dev/shm, and the wait for a node.

    Args:
        config: The cluster's settings. With `gpu_count` 0, only /dev/shm is set.
        shared_memory: Size of `/dev/shm`, by which the processes of several GPUs communicate. It counts as memory.
    """
    options: dict[str, Any] = {
        "volumes": [
            k8s.V1Volume(name="dshm", empty_dir=k8s.V1EmptyDirVolumeSource(medium="Memory", size_limit=shared_memory))
        ],
        "volume_mounts": [k8s.V1VolumeMount(name="dshm", mount_path="/dev/shm")],  # noqa: S108
    }
    if config.gpu_count:
        options |= {
            "extended_resources": {config.gpu_resource: str(config.gpu_count)},
            "tolerations": [k8s.V1Toleration(key=config.gpu_resource, operator="Exists", effect="NoSchedule")],
            "node_selector": config.gpu_node_selector,
            # A GPU node may have to be created first. After this time the task fails and logs the scheduler's events.
            "schedule_timeout_seconds": config.gpu_wait_seconds,
            "startup_timeout_seconds": config.gpu_wait_seconds,
        }
    return options
