"""Start Airflow's new image in a pod of its own, before an upgrade replaces pods that work."""

import functools
import json
import time
from typing import Any

from wakee_tools.deploy.release import NAME, kubectl
from wakee_tools.shell import ToolError, answer, output, say

POD = "airflow-image-trial"
SECONDS, INTERVAL_SECONDS = 300, 1
PULL_SECONDS = 60
"""An image that cannot be pulled is tried for so long."""
STATE = (
    "jsonpath={.status.phase} {.status.containerStatuses[0].state.waiting.reason} {.status.containerStatuses[0].state}"
)
PULL_FAULTS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName")


@functools.cache
def try_image(image: str, *pull_secrets: str) -> None:
    """Start the image, once per command, unless the scheduler runs it already or nothing runs that it would replace.

    Args:
        image: The name, with its tag or digest.
        pull_secrets: Names of the Secrets with the registry's credentials.

    Raises:
        ToolError: the image cannot be pulled or started.
    """
    running = "jsonpath={.spec.template.spec.containers[0].image}"
    if answer(*kubectl(), "get", "deployment", f"{NAME}-scheduler", "-o", running).stdout in {"", image}:
        return
    say(f"checking that {image} starts")
    _delete()
    try:
        output(*kubectl(), "create", "-f", "-", text=json.dumps(_pod(image, pull_secrets)))
        _wait(image)
    finally:
        _delete()


def _delete() -> None:
    answer(*kubectl(), "delete", "pod", POD, "--ignore-not-found", "--grace-period=0", "--force")


def _wait(image: str) -> None:
    """Wait until the container has ended. A registry that is busy may answer a second attempt."""
    started, state = time.monotonic(), ""
    while (waited := time.monotonic() - started) < SECONDS:
        state = answer(*kubectl(), "get", "pod", POD, "-o", STATE).stdout.strip()
        phase, *_ = words = state.split(" ")
        if phase == "Succeeded":
            return
        if phase == "Failed" or (waited > PULL_SECONDS and any(fault in words for fault in PULL_FAULTS)):
            break
        time.sleep(INTERVAL_SECONDS)
    remedy = "Give the cluster room for a pod" if state.strip() == "Pending" else "Correct images.airflow"
    raise ToolError(f"Airflow's image {image} does not start: {state or 'no pod'}. {remedy}. Airflow was not changed.")


def _pod(image: str, pull_secrets: tuple[str, ...]) -> dict[str, Any]:
    security = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    container = {
        "name": "trial",
        "image": image,
        "command": ["true"],
        "securityContext": security,
        "resources": {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}},
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "priorityClassName": "wakee-platform",
        "serviceAccountName": "airflow",
        "imagePullSecrets": [{"name": name} for name in pull_secrets],
        "securityContext": {"runAsNonRoot": True, "runAsUser": 50000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}
