"""What a stage's pod needs to run on GPUs, as the cluster's settings say; nothing at all where there are none."""

from __future__ import annotations

from typing import Any

from kubernetes.client import models as k8s

from wakee.config import PipelineConfig


def gpu_options(config: PipelineConfig, *, shared_memory: str) -> dict[str, Any]:
    """Options for `stage(...)`: how many GPUs, where to run, /dev/shm, and how long to wait for a node.

    Args:
        config: The cluster's settings; with `gpu_count` 0 there is only /dev/shm.
        shared_memory: Size of `/dev/shm`, through which the processes of several GPUs talk to each other; it counts as
            memory.
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
            # A GPU node may have to be made first; after that the task fails, and its log shows the scheduler's events.
            "schedule_timeout_seconds": config.gpu_wait_seconds,
            "startup_timeout_seconds": config.gpu_wait_seconds,
        }
    return options
