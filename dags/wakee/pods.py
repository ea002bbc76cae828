"""Pod managers and trigger of the provider that also log why a pod is pending.

The provider logs a pod's events. A repeated event of kube-scheduler keeps its first text, so a changed reason is read
from the pod's conditions and container states, which are always current.
"""

from __future__ import annotations

import os
import time
from functools import cached_property
from pathlib import Path
from typing import Any

from airflow.providers.cncf.kubernetes.triggers.pod import KubernetesPodTrigger
from airflow.providers.cncf.kubernetes.utils.pod_manager import AsyncPodManager, PodManager

from wakee.pending import PendingWatch

REPORTED_WITHIN_SECONDS = 3.0


class StagePodManager(PodManager):
    """Log why a pod is pending whenever it is read, and treat the end of a followed log as the end of its container."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._pending = PendingWatch()
        self._follows = False

    def read_pod(self, pod: Any) -> Any:
        """Read the pod as it is now."""
        return _reported(self, self._pending, super().read_pod(pod))

    def fetch_container_logs(self, *arguments: Any, **options: Any) -> Any:
        """Follow a container's log to its end."""
        self._follows = bool(options.get("follow"))
        try:
            return super().fetch_container_logs(*arguments, **options)
        finally:
            self._follows = False

    def container_is_running(self, pod: Any, container_name: str) -> bool:
        """Return whether a container is running.

        A followed log ends a moment before the kubelet reports the end of its container. Without this wait, the
        provider would log an interruption and read the last lines again.
        """
        until = time.monotonic() + (REPORTED_WITHIN_SECONDS if self._follows else 0)
        while running := super().container_is_running(pod, container_name):
            if time.monotonic() >= until:
                break
            time.sleep(0.2)
        return bool(running)


class AsyncStagePodManager(AsyncPodManager):
    """Log why a pod is pending, in the triggerer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._pending = PendingWatch()

    async def read_pod(self, pod: Any) -> Any:
        """Read the pod as it is now."""
        return _reported(self, self._pending, await super().read_pod(pod))


class StagePodTrigger(KubernetesPodTrigger):
    """Watch the pod of a deferred stage."""

    @cached_property
    def pod_manager(self) -> AsyncStagePodManager:
        """A pod manager that logs why the pod is pending."""
        return AsyncStagePodManager(async_hook=self.hook)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Return the class path for the triggerer, and the arguments."""
        return f"{__name__}.{type(self).__name__}", super().serialize()[1]


def stage_trigger(trigger: KubernetesPodTrigger) -> KubernetesPodTrigger:
    """Convert the provider's trigger to ours if the triggerer can import this module.

    Airflow adds the DAGs' folder to the import path only in components that parse DAG files. The triggerer does not.
    """
    return StagePodTrigger(**trigger.serialize()[1]) if _in_pythonpath() else trigger


def _in_pythonpath() -> bool:
    """Return whether PYTHONPATH, which all Airflow components get from the image, contains the folder of these DAGs."""
    folder = Path(__file__).resolve().parents[1]
    return any(Path(entry).resolve() == folder for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry)


def _reported(manager: PodManager | AsyncPodManager, pending: PendingWatch, pod: Any) -> Any:
    reason = pending.news(pod, time.monotonic())
    if reason:
        manager.log.info("::endgroup::")  # the task's page collapses the provider's log group
        manager.log.warning("Pod %s is pending: %s", pod.metadata.name, reason)
    return pod
