"""Watching a stage's pod: the provider's pod managers and trigger, which also log why the pod is pending.

The provider logs a pod's events. An event of kube-scheduler keeps its first text while it repeats, so a reason that
changes is read from the pod's conditions and container states, which are always the present ones.
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
    """Logs why a pod is pending, whenever it reads one, and takes the end of a log for the end of its container."""

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
        """Whether a container runs.

        A log that was followed ends a moment before the kubelet reports the end of its container. Without waiting for
        that, the provider would speak of an interruption and read the last lines again.
        """
        until = time.monotonic() + (REPORTED_WITHIN_SECONDS if self._follows else 0)
        while running := super().container_is_running(pod, container_name):
            if time.monotonic() >= until:
                break
            time.sleep(0.2)
        return bool(running)


class AsyncStagePodManager(AsyncPodManager):
    """The same in the triggerer."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._pending = PendingWatch()

    async def read_pod(self, pod: Any) -> Any:
        """Read the pod as it is now."""
        return _reported(self, self._pending, await super().read_pod(pod))


class StagePodTrigger(KubernetesPodTrigger):
    """Watches the pod of a deferred stage."""

    @cached_property
    def pod_manager(self) -> AsyncStagePodManager:
        """The one that logs why the pod is pending."""
        return AsyncStagePodManager(async_hook=self.hook)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class that the triggerer imports, and its arguments."""
        return f"{__name__}.{type(self).__name__}", super().serialize()[1]


def stage_trigger(trigger: KubernetesPodTrigger) -> KubernetesPodTrigger:
    """The provider's trigger as one of ours, where the triggerer is able to import this module.

    The DAGs' folder is in the import path of whoever reads DAG files; the triggerer reads none.
    """
    return StagePodTrigger(**trigger.serialize()[1]) if _in_pythonpath() else trigger


def _in_pythonpath() -> bool:
    """Whether PYTHONPATH, which all components of Airflow get from the image, names the folder of these DAGs."""
    folder = Path(__file__).resolve().parents[1]
    return any(Path(entry).resolve() == folder for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry)


def _reported(manager: PodManager | AsyncPodManager, pending: PendingWatch, pod: Any) -> Any:
    reason = pending.news(pod, time.monotonic())
    if reason:
        manager.log.info("::endgroup::")  # the page of a task shows the provider's group folded
        manager.log.warning("Pod %s is pending: %s", pod.metadata.name, reason)
    return pod
