"""Draw faces and write annotations to the sandbox, from a pod."""

import json
import os
import time
import uuid
from typing import Any

from wakee_tools.images.built import image_of
from wakee_tools.shell import ToolError, answer, last_lines, output, print_lines, wait_until

KUBECTL = ("kubectl", "-n", "wakee")
ENDED = {"Succeeded", "Failed"}
DEFAULT_FLAGS = "--rows 600 --days 35"
RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}


def seed(*flags: str) -> str:
    """Run `wakee-sandbox seed` with these flags in a pod, and return its output.

    SEED_SECONDS is the timeout.

    Raises:
        ToolError: the pod failed, or did not end in time.
    """
    name = f"seed-{int(time.time())}-{uuid.uuid4().hex[:5]}"
    output("kubectl", "apply", "-f", "-", text=json.dumps(pod(name, image_of("sandbox"), ["seed", *flags])))
    try:
        return _wait(name)
    finally:
        answer(*KUBECTL, "delete", "pod", name, "--wait=false", "--ignore-not-found")


def _wait(name: str) -> str:
    seconds = float(os.environ.get("SEED_SECONDS") or 900)
    try:
        wait_until(seconds, "seeding (SEED_SECONDS sets the time limit)", lambda: _phase(name) in ENDED)
    except ToolError:
        print_lines(last_lines(answer(*KUBECTL, "describe", "pod", name).stdout, 10))
        print_lines(answer(*KUBECTL, "logs", name, "--tail=20").stdout)
        raise
    log = output(*KUBECTL, "logs", name)
    if _phase(name) != "Succeeded":
        print_lines(log)
        raise ToolError("Seeding failed. See the lines above for the cause.")
    return log


def _phase(name: str) -> str:
    return answer(*KUBECTL, "get", "pod", name, "-o", "jsonpath={.status.phase}").stdout


def pod(name: str, image: str, arguments: list[str]) -> dict[str, Any]:
    """Create the manifest of a pod: a command of the sandbox's image, with the settings of the stages.

    Args:
        name: Name of the pod.
        image: Image of the sandbox.
        arguments: Arguments of `wakee-sandbox`.
    """
    user = {"runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001, "fsGroup": 10001}
    container = {
        "name": "seed",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "args": arguments,
        "envFrom": [{"configMapRef": {"name": "wakee-config"}}, {"secretRef": {"name": "wakee-secrets"}}],
        "securityContext": RESTRICTED,
        "resources": {"requests": {"cpu": "100m", "memory": "256Mi"}, "limits": {"memory": "2Gi"}},
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "wakee", "labels": {"app.kubernetes.io/name": "seed"}},
        "spec": {
            "restartPolicy": "Never",
            "serviceAccountName": "wakee-stage",
            "automountServiceAccountToken": False,
            "securityContext": {**user, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }
