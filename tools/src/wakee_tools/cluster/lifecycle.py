"""The lifecycle of the cluster, of either kind."""

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
    """Create the cluster, or start the existing one.

    Pods that ran before a node stopped restart automatically.
    """
    KUBECONFIG.parent.mkdir(exist_ok=True)
    with timed("cluster"):
        _chosen().up()
        say(f"cluster ready: export KUBECONFIG={below_here(KUBECONFIG)}")


def below_here(path: Path) -> Path:
    """The path relative to the current folder, if it is below that folder."""
    return path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path


def down(*, forget_images: bool = False) -> None:
    """Remove the cluster, of either kind.

    The images in the registry are kept for the next cluster, unless they take too much disk.

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
    """Print the state of the cluster.

    Raises:
        ToolError: no cluster responds.
    """
    _chosen().print_status()
    if status("kubectl", "get", "nodes,pods", "--all-namespaces", "--request-timeout=5s"):
        raise ToolError("No cluster answers. Run 'make cluster'.")


def restart(process: str) -> None:
    """Kill one of Kubernetes' own processes and restart it: kube-apiserver, kubelet, containerd."""
    _chosen().restart(process)


def prepare_build() -> None:
    """Install the packages for building images without a Docker engine."""
    if not docker_answers():
        install_packages(*BUILD_PACKAGES)
