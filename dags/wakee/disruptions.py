"""Find out whether a pod was disrupted, and why, from the pod object alone.

A disruption ends a pod for a reason outside its stage: its node is drained, short of memory or disk, shut down or lost,
a pod with a higher priority takes its place, or the pod is deleted. What a stage causes itself is not a disruption: an
exit code, too much memory, a full scratch volume, its time limit.

Imports nothing of Airflow or Kubernetes, and reads attributes that the models of `kubernetes` and `kubernetes_asyncio`
share, like `wakee.pending`.
"""

import re
from datetime import datetime, timedelta
from typing import Any

DELETED = "it was deleted"
TERMINAL = {"Succeeded", "Failed"}
NO_RETRY_EXIT_CODE = 2
OUT_OF_MEMORY = "OOMKilled"

BY_NODE = {"Evicted", "NodeLost", "Preempting", "Terminated", "NodeShutdown", "Shutdown"}
"""Reasons of a pod's status with which a node ends pods. `Evicted` has two meanings, see `OWN_LIMIT`."""
OWN_LIMIT = re.compile(r"\bexceed(s|ed)\b.*\blimit\b")
"""In the kubelet's messages of an eviction because the pod exceeded a limit of its own ephemeral storage."""
LOST_WITH_NODE = {"ContainerStatusUnknown", "Unknown"}
"""Reasons of a container that the node does not find, e.g. after it has restarted."""
UNREACHABLE_AFTER = timedelta(seconds=30)
"""A kubelet reports the end of a pod well within this time after the pod's grace period."""


def disruption(pod: Any, container: str) -> str | None:
    """Return why a pod was disrupted, with Kubernetes' own message if there is one.

    Args:
        pod: A `V1Pod`. A pod with a deletion timestamp counts as disrupted, so do not ask about a pod that the caller
            has deleted.
        container: Name of the stage's container.

    Returns:
        One line, or None if the pod was not disrupted, or if the stage had ended before.
    """
    if pod.status is None or _ended_by_itself(pod, container):
        return None
    return _condition(pod) or _status(pod) or _lost(pod, container) or _deletion(pod)


def has_ended(pod: Any, container: str) -> bool:
    """Return whether the stage's process has ended, or never started and never will."""
    return terminated(pod, container) is not None or bool(pod.status and pod.status.phase in TERMINAL)


def terminated(pod: Any, container: str) -> Any:
    """Return the terminated state of a container; None if the container has not ended."""
    statuses = (pod.status.container_statuses if pod and pod.status else None) or []
    states = [status.state for status in statuses if status.name == container and status.state]
    return next((state.terminated for state in states if state.terminated), None)


def node_is_lost(pod: Any) -> bool:
    """Return whether the control plane has lost contact with the pod's node.

    The node controller then marks the pod as not ready. Its containers stay ready, as the kubelet last reported.
    """
    ready = [status.ready for status in pod.status.container_statuses or []]
    return bool(ready) and all(ready) and any(c.status == "False" for c in _conditions(pod, "Ready"))


def is_stuck(pod: Any, now: datetime) -> bool:
    """Return whether a pod is being deleted on a lost node and is overdue, so that only its forced deletion helps."""
    deadline = pod.metadata.deletion_timestamp
    return bool(deadline and now > deadline + UNREACHABLE_AFTER and node_is_lost(pod))


def _ended_by_itself(pod: Any, container: str) -> bool:
    """Return whether the stage succeeded, exceeded a limit of its own, or ended before the disruption began."""
    if pod.status.phase == "Succeeded" or _exceeded_own_limit(pod.status):
        return True
    ended = terminated(pod, container)
    if ended is None:
        return False
    own = ended.exit_code in {0, NO_RETRY_EXIT_CODE} or ended.reason == OUT_OF_MEMORY
    return own or _ended_before(ended, pod)


def _exceeded_own_limit(status: Any) -> bool:
    evicted = status.reason == "Evicted" and bool(OWN_LIMIT.search(_one_line(status.message or "")))
    return evicted or status.reason == "DeadlineExceeded"


def _ended_before(ended: Any, pod: Any) -> bool:
    """Return whether the container had ended when the disruption began; timestamps have a resolution of 1 s."""
    begun = [condition.last_transition_time for condition in _targets(pod)]
    if deleted := pod.metadata.deletion_timestamp:
        begun.append(deleted - timedelta(seconds=pod.metadata.deletion_grace_period_seconds or 0))
    times = [time for time in begun if time]
    return bool(times and ended.finished_at and ended.finished_at < min(times))


def _condition(pod: Any) -> str | None:
    found = next(iter(_targets(pod)), None)
    return _cause(found.message, found.reason) if found else None


def _status(pod: Any) -> str | None:
    return _cause(pod.status.message, pod.status.reason) if pod.status.reason in BY_NODE else None


def _lost(pod: Any, container: str) -> str | None:
    ended = terminated(pod, container)
    return _cause("its node lost it", ended.reason) if ended and ended.reason in LOST_WITH_NODE else None


def _deletion(pod: Any) -> str | None:
    return DELETED if pod.metadata.deletion_timestamp else None


def _targets(pod: Any) -> list[Any]:
    return [condition for condition in _conditions(pod, "DisruptionTarget") if condition.status == "True"]


def _conditions(pod: Any, kind: str) -> list[Any]:
    return [condition for condition in pod.status.conditions or [] if condition.type == kind]


def _cause(message: str | None, reason: str) -> str:
    text = _one_line(message or "").rstrip(".")
    return f"{text} ({reason})" if text else reason


def _one_line(text: str) -> str:
    return " ".join(text.split())
