"""The kind cluster, whose nodes are containers."""

import os
import shutil
from typing import Any

import yaml

from wakee_tools.cluster.choice import docker_answers
from wakee_tools.paths import BUILD, KUBECONFIG, REPO
from wakee_tools.shell import ToolError, answer, call, output, say, status, succeeds, wait_until

NAME = "wakee"
VERSION = "0.30.0"
CONTROL_PLANE = f"{NAME}-control-plane"
NODES = ("--filter", f"label=io.x-k8s.kind.cluster={NAME}")
"""Filter for `docker ps`: the containers of the cluster's nodes."""
ADMIN = "/etc/kubernetes/admin.conf"
STOPPED = ("exited", "created")


def nodes(*states: str) -> list[str]:
    """List the containers of the cluster's nodes, in one of these states if any are given."""
    filters = [word for state in states for word in ("--filter", f"status={state}")]
    return output("docker", "ps", "--all", *NODES, *filters, "--format", "{{.Names}}").splitlines()


def up() -> None:
    """Create the cluster, or start the existing one, and wait until all nodes are ready.

    Raises:
        ToolError: kind or Docker is missing, a node does not become ready, or the cluster has another number of nodes
            than KIND_NODES.
    """
    _require_kind()
    if stopped := nodes(*STOPPED):
        say("starting the stopped nodes")
        output("docker", "start", *stopped)
    if not nodes():
        _create()
    elif not _is_whole():
        say("the creation of the kind cluster was interrupted: creating it again")
        call("kind", "delete", "cluster", "--name", NAME)
        _create()
    _require_size()
    call("kind", "export", "kubeconfig", "--name", NAME, "--kubeconfig", str(KUBECONFIG))
    if answer("kubectl", "wait", "--for=condition=Ready", "nodes", "--all", "--timeout=180s").returncode:
        raise ToolError(
            "The kind cluster has nodes that are not ready after 180 s. 'kubectl describe nodes' shows the cause. "
            "'make cluster-down' removes it."
        )


def _require_kind() -> None:
    if not docker_answers():
        raise ToolError(
            "Cannot use kind: no Docker engine answers. Start it, or set WAKEE_CLUSTER=debian (as root, on Debian 12)."
        )
    if not shutil.which("kind"):
        raise ToolError(
            f"Cannot use kind: it is not installed. Install kind {VERSION}\n"
            "       (https://kind.sigs.k8s.io/docs/user/quick-start/#installation), or set WAKEE_CLUSTER=debian."
        )


def _require_size() -> None:
    present, wanted = len(nodes()), number_of_nodes()
    if os.environ.get("KIND_NODES") and present and present != wanted:
        raise ToolError(
            f"The kind cluster has {present} nodes, but KIND_NODES is {wanted}. Run 'make cluster-down' first, or "
            "unset KIND_NODES."
        )


def _create() -> None:
    image = os.environ.get("KIND_NODE_IMAGE")
    other_image = ["--image", image] if image else []
    path = BUILD / "kind-config.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(yaml.safe_dump(config(number_of_nodes())))
    call("kind", "create", "cluster", "--config", str(path), *other_image, "--wait", "180s")


def number_of_nodes() -> int:
    """The number of nodes in KIND_NODES, by default 1.

    Raises:
        ToolError: it is not a number above zero.
    """
    text = os.environ.get("KIND_NODES") or "1"
    if not text.isdecimal() or not int(text):
        raise ToolError(f"KIND_NODES is '{text}'. Set it to a number above zero, or unset it.")
    return int(text)


def config(number: int) -> dict[str, Any]:
    """The content of kind-config.yaml for a number of nodes: a control plane, and workers with the same image.

    The ports of localhost lead to the control plane, where the sandbox and Airflow run.
    """
    written: dict[str, Any] = yaml.safe_load((REPO / "kind-config.yaml").read_text())
    (control_plane,) = written["nodes"]
    worker = {"role": "worker", "image": control_plane["image"]}
    return written | {"nodes": [control_plane, *[worker] * (number - 1)]}


def _is_whole() -> bool:
    """Whether the cluster was created completely. An interrupted creation leaves unusable nodes."""
    if not succeeds("docker", "exec", CONTROL_PLANE, "test", "-e", ADMIN):
        return False
    kubectl = ("docker", "exec", CONTROL_PLANE, "kubectl", "--kubeconfig", ADMIN)
    api = f"The API server of the kind cluster '{NAME}' (make cluster-down removes the cluster)"
    wait_until(120, api, lambda: succeeds(*kubectl, "get", "--raw", "/readyz"))
    listing = answer(*kubectl, "get", "nodes,storageclass", "--no-headers", "-o", "name")
    return not listing.returncode and lists_whole_cluster(listing.stdout, len(nodes()))


def lists_whole_cluster(listing: str, containers: int) -> bool:
    """Whether kind's last steps are done: the storage class exists and all nodes have joined.

    Args:
        listing: Nodes and storage classes, as printed by `kubectl get -o name`.
        containers: The expected number of nodes.
    """
    names = listing.split()
    joined = [name for name in names if name.startswith("node/")]
    return len(joined) == containers and any(name.startswith("storageclass") for name in names)


def remove() -> None:
    """Remove the containers of the nodes, with their volumes."""
    if found := nodes():
        output("docker", "rm", "--force", "--volumes", *found)


def print_status() -> None:
    """Print the containers of the nodes."""
    status("docker", "ps", "--all", *NODES, "--format", "table {{.Names}}\t{{.Status}}")


def restart(process: str) -> None:
    """Kill one of Kubernetes' own processes in the node, which restarts it."""
    output("docker", "exec", CONTROL_PLANE, "pkill", "-KILL", "-x", process)
