"""Find out why a pod has not started, from the pod object alone.

Imports nothing of Airflow or Kubernetes, and reads attributes that the models of `kubernetes` and `kubernetes_asyncio`
share: the operator, the trigger and the operators' commands (`tools/`) all use it.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

PATIENCE_SECONDS = 5.0
"""A reason that lasts for less than this is not reported: every pod is "ContainerCreating" for a moment."""

STARTING = {"ContainerCreating", "PodInitializing"}
# The kubelet alternates between the two while it retries.
IMAGE_PULL = {"ErrImagePull", "ImagePullBackOff"}
BACK_OFF = re.compile(r'^Back-off pulling image "[^"]*"(: ErrImagePull: )?')


def pending_reason(pod: Any) -> str | None:
    """Return what a pending pod waits for, with Kubernetes' own message if there is one.

    Args:
        pod: A `V1Pod`.

    Returns:
        One line, or None if the pod is not pending or is being deleted.
    """
    if pod.status is None or pod.status.phase != "Pending" or pod.metadata.deletion_timestamp:
        return None
    return unscheduled_reason(pod) or _waiting_reason(pod) or f"node {pod.spec.node_name} has not started it yet"


def unscheduled_reason(pod: Any) -> str | None:
    """Return why a pod is not scheduled to a node; None if it is."""
    condition = next((c for c in pod.status.conditions or [] if c.type == "PodScheduled"), None)
    if pod.spec.node_name or (condition and condition.status == "True"):
        return None
    if condition is None:
        return "the Kubernetes scheduler has not processed it yet"
    return _one_line(condition.message or condition.reason or "it is not assigned to a node")


def _waiting_reason(pod: Any) -> str | None:
    """Return the reason of the first container that cannot start, or else of the first that has not started."""
    waiting = sorted(_waiting(pod), key=lambda found: found[1].reason in STARTING)
    return next((_text(name, state) for name, state in waiting), None)


def _waiting(pod: Any) -> Iterator[tuple[str, Any]]:
    for container in container_statuses(pod):
        if container.state and container.state.waiting:
            yield container.name, container.state.waiting


def container_statuses(pod: Any) -> list[Any]:
    """The statuses of a pod's containers, those of init containers first."""
    return [*(pod.status.init_container_statuses or []), *(pod.status.container_statuses or [])]


def _text(container: str, waiting: Any) -> str:
    reason, message = waiting.reason or "waiting", waiting.message or ""
    if reason in IMAGE_PULL:
        reason, message = "ErrImagePull", BACK_OFF.sub("", message)
    return _one_line(": ".join(part for part in (f"container {container}", reason, message) if part))


def _one_line(text: str) -> str:
    return " ".join(text.split())


@dataclass
class PendingWatch:
    """Decide when to report why a pod is pending: after the reason has lasted for a time, and again if it changes."""

    patience: float = PATIENCE_SECONDS
    _since: dict[str, tuple[str | None, float]] = field(default_factory=dict)
    _reported: dict[str, str] = field(default_factory=dict)

    def news(self, pod: Any, now: float) -> str | None:
        """Return why a pod is pending if it is to be reported now; otherwise None.

        Args:
            pod: A `V1Pod`, as read at `now`.
            now: Time of a monotonic clock, in seconds.
        """
        name, reason = pod.metadata.name, pending_reason(pod)
        last, since = self._since.get(name, (None, now))
        since = since if reason == last else now
        self._since[name] = reason, since
        if reason is None or now - since < self.patience or self._reported.get(name) == reason:
            return None
        self._reported[name] = reason
        return reason
