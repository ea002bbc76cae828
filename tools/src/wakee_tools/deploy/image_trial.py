"""Start Airflow's new image in a pod of its own, before an upgrade replaces pods that work."""

import json
import time
from typing import Any

from wakee_tools.deploy.release import NAME, kubectl
from wakee_tools.shell import ToolError, answer, output, say

POD = "airflow-image-trial"
SECONDS, INTERVAL_SECONDS = 300, 1
STATE = (
    "jsonpath={.status.phase} {.status.containerStatuses[0].state.waiting.reason} {.status.containerStatuses[0].state}"
)
FAULTS = ("Failed", "ErrImagePull", "ImagePullBackOff", "InvalidImageName")


def try_image(image: str, pull_secrets: list[dict[str, str]]) -> None:
    """Start the image, unless the scheduler runs it already.

    Args:
        image: The name, with its tag or digest.
        pull_secrets: Secrets with the registry's credentials, as in a pod.

    Raises:
        ToolError: the image cannot be pulled or started.
    """
    running = "jsonpath={.spec.template.spec.containers[0].image}"
    if answer(*kubectl(), "get", "deployment", f"{NAME}-scheduler", "-o", running).stdout == image:
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
    deadline, state = time.monotonic() + SECONDS, ""
    while time.monotonic() < deadline:
        state = answer(*kubectl(), "get", "pod", POD, "-o", STATE).stdout.strip()
        phase, *_ = words = state.split(" ")
        if phase == "Succeeded":
            return
        if any(fault in words for fault in FAULTS):
            break
        time.sleep(INTERVAL_SECONDS)
    raise ToolError(
        f"Airflow's image {image} does not start: {state or 'no pod'}. Correct images.airflow. Nothing was changed."
    )


def _pod(image: str, pull_secrets: list[dict[str, str]]) -> dict[str, Any]:
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
        "imagePullSecrets": pull_secrets,
        "securityContext": {"runAsNonRoot": True, "runAsUser": 50000, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": POD}, "spec": spec}
