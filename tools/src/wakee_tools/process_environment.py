"""Set up the environment of `wakee` and its child processes, independent of the caller's."""

import os

from wakee_tools.paths import CACHE, KUBECONFIG, STATE, TOOLS


def prepare(*, operators: bool) -> None:
    """Select the cluster by KUBECONFIG, and put our tools first on PATH.

    Args:
        operators: Whether CLUSTER may name the kubeconfig of another cluster than the local one.
    """
    for folder in (CACHE, STATE, TOOLS):
        folder.mkdir(parents=True, exist_ok=True)
    chosen = os.environ.get("CLUSTER", "") if operators else ""
    os.environ["KUBECONFIG"] = chosen or str(KUBECONFIG)
    os.environ["PATH"] = os.pathsep.join(with_tools_first(os.environ.get("PATH", os.defpath)))


def with_tools_first(path: str) -> list[str]:
    """The folders of a PATH, with that of our tools moved to the front."""
    return [str(TOOLS), *(folder for folder in path.split(os.pathsep) if folder != str(TOOLS))]
