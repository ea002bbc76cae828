"""The cluster that is built from Debian's packages, by the scripts in tools/debian-cluster."""

import os
import shutil

from wakee_tools.paths import REPO
from wakee_tools.shell import ToolError, call

SCRIPTS = REPO / "tools" / "debian-cluster"


def up() -> None:
    """Start the cluster.

    Raises:
        ToolError: this is not Debian or not root, or a script failed.
    """
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise ToolError(
            "Cannot build a cluster from Debian's packages: that needs Debian 12 and root. Start a Docker engine, so "
            "that kind is used, or run this as root on Debian 12."
        )
    _script("up.sh")


def stop() -> None:
    """Stop every process of the cluster, with its containers, mounts and network. No-op if no cluster is possible."""
    if shutil.which("dpkg-query"):
        _script("stop.sh")


def print_status() -> None:
    """Print the running processes."""
    _script("status.sh")


def restart(process: str) -> None:
    """Kill one process of the cluster and restart it unchanged."""
    _script("restart.sh", process)


def _script(name: str, *arguments: str) -> None:
    call(str(SCRIPTS / name), *arguments)
