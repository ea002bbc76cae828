"""Check a pod's specification against the Pod Security Standard "restricted".

Kubernetes enforces it since 1.23. The cluster that is built from Debian's packages is older.
"""

from typing import Any

ALLOWED_VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip


def violations(spec: dict[str, Any]) -> list[str]:
    """List the violations of the profile in a pod's `spec`; empty if it conforms."""
    found = [f"{key} is set" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    for volume in spec.get("volumes") or []:
        kinds = {key for key, value in volume.items() if key != "name" and value is not None}
        found += [f"volume {volume['name']} is a {kind}" for kind in kinds - ALLOWED_VOLUMES]
    pod = spec.get("securityContext") or {}
    for container in [*(spec.get("initContainers") or []), *spec["containers"]]:
        found += [f"{container['name']}: {what}" for what in _container_violations(container, pod)]
    return found


def _container_violations(container: dict[str, Any], pod: dict[str, Any]) -> list[str]:
    own = container.get("securityContext") or {}
    capabilities = own.get("capabilities") or {}
    seccomp = (own.get("seccompProfile") or pod.get("seccompProfile") or {}).get("type")
    rules = {
        "privileged": bool(own.get("privileged")),
        "may escalate privileges": own.get("allowPrivilegeEscalation") is not False,
        "may run as root": not own.get("runAsNonRoot", pod.get("runAsNonRoot")),
        "runs as user 0": own.get("runAsUser", pod.get("runAsUser")) == 0,
        "keeps capabilities": "ALL" not in (capabilities.get("drop") or []),
        "adds capabilities": bool(set(capabilities.get("add") or []) - {"NET_BIND_SERVICE"}),
        "has no seccomp profile": seccomp not in {"RuntimeDefault", "Localhost"},
        "uses host ports": any(port.get("hostPort") for port in container.get("ports") or []),
    }
    return [what for what, broken in rules.items() if broken]


def loose_ends(spec: dict[str, Any]) -> list[str]:
    """List the violations of our additional rules: read-only root, memory limits, no service account token."""
    found = [] if spec.get("automountServiceAccountToken") is False else ["mounts a service account token"]
    for container in spec["containers"]:
        resources = container.get("resources") or {}
        if not (container.get("securityContext") or {}).get("readOnlyRootFilesystem"):
            found.append(f"{container['name']}: its root can be written")
        if "memory" not in (resources.get("limits") or {}) or "memory" not in (resources.get("requests") or {}):
            found.append(f"{container['name']}: its memory is not bounded")
    return found
