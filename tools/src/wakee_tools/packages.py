"""Install Debian packages that a command needs."""

import os
import shutil
from collections.abc import Iterable

from wakee_tools.locks import alone
from wakee_tools.shell import ToolError, answer, last_lines, say

QUIET_APT = {
    "DEBIAN_FRONTEND": "noninteractive",
    # Some packages start a service on installation. The cluster and the tests start their own.
    "RUNLEVEL": "1",
}
LOCK = ("-o", "DPkg::Lock::Timeout=300")
"""Wait for other installations of packages on this machine."""


def install_packages(*names: str) -> None:
    """Install the Debian packages that are not installed yet.

    Raises:
        ToolError: this is not Debian, not root, or apt-get failed.
    """
    if _missing(names):
        with alone("packages"):  # the same lock as in tools/debian-cluster/lib.sh
            _install(_missing(names))


def _install(missing: list[str]) -> None:
    words = " ".join(missing)
    if not missing:
        return
    if not shutil.which("apt-get") or os.geteuid() != 0:
        raise ToolError(f"Packages are missing: {words}. Install them, or run as root on Debian or Ubuntu.")
    say(f"installing {words}")
    if answer("dpkg", "--audit").stdout:
        _apt("dpkg", "--configure", "-a")  # complete an interrupted installation
    _apt("apt-get", *LOCK, "update", "-qq")
    _apt("apt-get", *LOCK, "install", "-qq", "-y", "--no-install-recommends", *missing)


def _missing(names: Iterable[str]) -> list[str]:
    return [name for name in names if not _is_installed(name)]


def _is_installed(name: str) -> bool:
    if not shutil.which("dpkg-query"):
        return False
    return "ok installed" in answer("dpkg-query", "-W", "-f=${Status}", name).stdout


def _apt(*command: str) -> None:
    done = answer("env", *(f"{name}={value}" for name, value in QUIET_APT.items()), *command)
    if done.returncode:
        raise ToolError(f"{' '.join(command)} failed: {last_lines(done.stdout + done.stderr, 20)}")
