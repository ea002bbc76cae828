"""Pod managers and trigger of the provider that log why a pod is pending, and notice when its node is lost.

The provider logs a pod's events. A repeated event of kube-scheduler keeps its first text, so a changed reason is read
from the pod's conditions and container states, which are always current.
"""

from __future__ import annotations

import asyncio
import os
import time
from functools import cached_property
from http import HTTPStatus
from pathlib import Path
from typing import Any

from airflow.providers.cncf.kubernetes.triggers.pod import ContainerState, KubernetesPodTrigger
from airflow.providers.cncf.kubernetes.utils.pod_manager import AsyncPodManager, PodManager
from kubernetes.client.exceptions import ApiException

from wakee.disruptions import disruption, has_ended
from wakee.pending import PendingWatch

REPORTED_WITHIN_SECONDS = 3.0
LOG_RETRY_SECONDS = 5.0
LOG_TIMEOUT_SECONDS = 30.0


class StagePodManager(PodManager):
    """Log why a pod is pending whenever it is read, and treat the end of a followed log as the end of its container."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self._pending = PendingWatch()
        self._follows = False

    def read_pod(self, pod: Any) -> Any:
        """Read the pod as it is now."""
        return _reported(self, self._pending, super().read_pod(pod))

    def fetch_container_logs(self, pod: Any, container_name: str, **options: Any) -> Any:
        """Follow a container's log to its end.

        If its node does not answer, wait until the node answers again, or until Kubernetes gives up the pod.
        """
        self._follows = bool(options.get("follow"))
        try:
            while True:
                try:
                    return super().fetch_container_logs(pod, container_name, **options)
                except ApiException as error:
                    self._await_node(pod, container_name, error)
                options["since_time"] = self.container_log_times.get(
                    (pod.metadata.namespace, pod.metadata.name, container_name)
                )
        finally:
            self._follows = False

    def _await_node(self, pod: Any, container_name: str, error: ApiException) -> None:
        """Wait a moment if the API server could not reach the node; raise the error again if waiting does not help."""
        present = self.read_pod(pod)
        over = has_ended(present, container_name) or disruption(present, container_name)
        if (error.status or 0) < HTTPStatus.INTERNAL_SERVER_ERROR or over:
            raise error
        self.log.warning("Cannot read the log of pod %s: its node does not answer. Retrying", pod.metadata.name)
        time.sleep(LOG_RETRY_SECONDS)

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

    async def fetch_container_logs_before_current_sec(
        self, pod: Any, container_name: str, since_time: Any = None
    ) -> Any:
        """Log the new lines of a container. Errors do not end the task, because a lost node has no logs."""
        try:
            lines = super().fetch_container_logs_before_current_sec(pod, container_name, since_time)
            return await asyncio.wait_for(lines, LOG_TIMEOUT_SECONDS)
        except Exception as error:
            self.log.warning("Cannot read the log of pod %s now: %r", pod.metadata.name, error)
            return since_time


class StagePodTrigger(KubernetesPodTrigger):
    """Watch the pod of a deferred stage."""

    @cached_property
    def pod_manager(self) -> AsyncStagePodManager:
        """A pod manager that logs why the pod is pending."""
        return AsyncStagePodManager(async_hook=self.hook)

    def define_pod_container_state(self, pod: Any) -> ContainerState:
        """Return the state of the stage; a disruption counts as its end, also while a lost node cannot report it."""
        state = super().define_pod_container_state(pod)
        disrupted = state is not ContainerState.TERMINATED and disruption(pod, self.base_container_name)
        return ContainerState.FAILED if disrupted else state

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
