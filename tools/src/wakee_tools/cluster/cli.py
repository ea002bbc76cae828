"""`wakee cluster`."""

from typing import Annotated

import typer

from wakee_tools.cluster import lifecycle
from wakee_tools.cluster.choice import ClusterKind
from wakee_tools.cluster.machine import report_machine

app = typer.Typer(no_args_is_help=True)


@app.callback()
def cluster() -> None:
    """A local Kubernetes cluster.

    kind where a Docker engine answers, else one built from Debian's packages (as root, on Debian 12).
    WAKEE_CLUSTER=kind|debian chooses. KIND_NODE_IMAGE names another node image for kind. Its kubeconfig is .kube/config
    of the checkout.
    """


@app.command()
def up() -> None:
    """Make the cluster, or bring up the one that is there: stopped nodes start, one that is half made is made anew."""
    lifecycle.up()


@app.command()
def down(
    forget_images: Annotated[
        bool, typer.Option("--forget-images", help="Remove the images in the registry, too.")
    ] = False,
) -> None:
    """Remove the cluster, of either kind; built images stay for the next one."""
    lifecycle.down(forget_images=forget_images)


@app.command()
def status() -> None:
    """Print nodes, pods, and what they run on."""
    lifecycle.print_status()


@app.command()
def restart(process: Annotated[str, typer.Argument(help="kube-apiserver, kubelet, containerd, ...")]) -> None:
    """Kill one of Kubernetes' own processes and start it again, for tests."""
    lifecycle.restart(process)


@app.command()
def machine(
    cluster: Annotated[ClusterKind, typer.Option(help="Which cluster is to run on it.")] = ClusterKind.KIND,
) -> None:
    """Check that the machine has the CPUs, memory and disk that a cluster needs, and end with 1 when it has not.

    WAKEE_SKIP_MACHINE_CHECK=1 goes on all the same.
    """
    raise typer.Exit(0 if report_machine(cluster) else 1)
