"""`wakee cluster`."""

from typing import Annotated

import typer

from wakee_tools.cluster import lifecycle
from wakee_tools.cluster.choice import ClusterKind
from wakee_tools.cluster.machine import report_machine

app = typer.Typer(no_args_is_help=True)


@app.callback()
def cluster() -> None:
    """Manage the local Kubernetes cluster.

    It is a kind cluster if a Docker engine responds, else one built from Debian's packages (as root, on Debian 12).
    WAKEE_CLUSTER=kind|debian chooses. KIND_NODE_IMAGE names another node image for kind, KIND_NODES the number of its
    nodes. The kubeconfig is .kube/config in the checkout.
    """


@app.command()
def up() -> None:
    """Create the cluster, or start the existing one. An incomplete cluster is recreated."""
    lifecycle.up()


@app.command()
def down(
    forget_images: Annotated[
        bool, typer.Option("--forget-images", help="Remove the images in the registry, too.")
    ] = False,
) -> None:
    """Remove the cluster, of either kind. Built images are kept for the next one."""
    lifecycle.down(forget_images=forget_images)


@app.command()
def status() -> None:
    """Print nodes, pods, and the containers or processes of the cluster."""
    lifecycle.print_status()


@app.command()
def restart(process: Annotated[str, typer.Argument(help="kube-apiserver, kubelet, containerd, ...")]) -> None:
    """Kill one of Kubernetes' own processes and restart it, for tests."""
    lifecycle.restart(process)


@app.command()
def machine(
    cluster: Annotated[ClusterKind, typer.Option(help="Cluster that will run on this machine.")] = ClusterKind.KIND,
) -> None:
    """Check that the machine has enough CPUs, memory and disk for a cluster. Exits with 1 if not.

    WAKEE_SKIP_MACHINE_CHECK=1 ignores the result.
    """
    raise typer.Exit(0 if report_machine(cluster) else 1)
