"""The cluster from its making to its removal, whichever kind it is of."""

import shutil
from pathlib import Path
from types import ModuleType

from wakee_tools.cluster import debian, kind, registry
from wakee_tools.cluster.choice import ClusterKind, cluster_kind, docker_answers
from wakee_tools.packages import install_packages
from wakee_tools.paths import KUBECONFIG, STATE
from wakee_tools.shell import ToolError, say, status, timed

BUILD_PACKAGES = ("buildah", "mmdebstrap")


def _chosen() -> ModuleType:
    return kind if cluster_kind() is ClusterKind.KIND else debian


def up() -> None:
    """Make the cluster, or bring up the one that is there.

    What runs in pods that were there before a node stopped starts again by itself.
    """
    KUBECONFIG.parent.mkdir(exist_ok=True)
    with timed("cluster"):
        _chosen().up()
        say(f"cluster ready: export KUBECONFIG={below_here(KUBECONFIG)}")


def below_here(path: Path) -> Path:
    """A path from the current folder, where it is below that."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def down(*, forget_images: bool = False) -> None:
    """Remove the cluster, of either kind, whichever is there.

    The images in the registry stay for the next cluster, until earlier ones have made too much of them.

    Args:
        forget_images: Remove the images in the registry, too.
    """
    if docker_answers():
        kind.remove()
        registry.remove(with_images=forget_images or registry.is_large())
    debian.stop()
    if (STATE / "cluster").exists():
        shutil.rmtree(STATE / "cluster")
    KUBECONFIG.unlink(missing_ok=True)


def print_status() -> None:
    """Print what runs.

    Raises:
        ToolError: no cluster answers.
    """
    _chosen().print_status()
    if status("kubectl", "get", "nodes,pods", "--all-namespaces", "--request-timeout=5s"):
        raise ToolError("no cluster answers: run 'make cluster'")


def restart(process: str) -> None:
    """Kill one of Kubernetes' own processes and start it again: kube-apiserver, kubelet, containerd."""
    _chosen().restart(process)


def prepare_build() -> None:
    """Install what building images needs where no Docker engine does it."""
    if not docker_answers():
        install_packages(*BUILD_PACKAGES)
