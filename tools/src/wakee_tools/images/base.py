"""The base image: the public one, or one built from Debian's packages if no image registry is reachable."""

import functools
import os
import shutil
import subprocess
from pathlib import Path

from wakee_tools.images.engine import builder, is_built
from wakee_tools.locks import alone
from wakee_tools.packages import install_packages
from wakee_tools.paths import CACHE, REPO
from wakee_tools.shell import ToolError, output, say

DOCKERFILE = REPO / "images" / "base" / "Dockerfile"
LOCAL_BASE = "localhost/wakee/base:bookworm-2"
PACKAGES = "python3,python3-venv,ca-certificates,usr-is-merged"
OPTIONS = [
    # Like the official slim images: no manuals, no translations, and a merged /usr without the tool that needs Perl.
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale")),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
]
SEARCH_PATH = "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
REGISTRY_SECONDS = 120


def public_base() -> str:
    """The digest-pinned default image of images/base."""
    lines = DOCKERFILE.read_text().splitlines()
    return next(line.partition("=")[2] for line in lines if line.startswith("ARG BASE_IMAGE="))


@functools.cache
def base_image() -> str:
    """Return the base image to build on; "" is the default of images/base.

    BASE_IMAGE if it is set. With Docker, the public image if the engine has it or can pull it. Otherwise Debian 12 with
    Python 3.11, built by mmdebstrap with the name LOCAL_BASE.
    """
    if named := os.environ.get("BASE_IMAGE"):
        return named
    with alone("base-image"):  # images are built concurrently
        return _found_or_made()


def _found_or_made() -> str:
    if is_built(LOCAL_BASE):
        return LOCAL_BASE
    if builder() == "docker" and (is_built(public_base()) or _pull(public_base())):
        return ""
    _make_local_base()
    return LOCAL_BASE


def _pull(image: str) -> bool:
    try:
        done = subprocess.run(["docker", "pull", "-q", image], capture_output=True, text=True, timeout=REGISTRY_SECONDS)
    except subprocess.TimeoutExpired:
        say(f"no image registry answered within {REGISTRY_SECONDS} s: the base image is made from Debian's packages")
        return False
    if done.returncode:
        cause = done.stderr.strip().splitlines()[-1]
        say(f"no image registry is available ({cause}): the base image is made from Debian's packages")
    return done.returncode == 0


def _make_local_base() -> None:
    tar = CACHE / f"{LOCAL_BASE.rpartition(':')[2]}.tar"
    if not tar.exists():
        _make_root_file_system(tar)
    if builder() == "docker":
        output("docker", "import", "-c", f"ENV {SEARCH_PATH}", str(tar), LOCAL_BASE)
        return
    container = output("buildah", "from", "scratch")
    output("buildah", "add", "-q", container, str(tar), "/")
    output("buildah", "config", "--env", SEARCH_PATH, container)
    output("buildah", "commit", "-q", "--rm", container, LOCAL_BASE)


def _make_root_file_system(tar: Path) -> None:
    if not shutil.which("mmdebstrap") and shutil.which("dpkg") and os.geteuid() == 0:
        install_packages("mmdebstrap")
    if not shutil.which("mmdebstrap"):
        raise ToolError(
            "Cannot get a base image: no image registry is available, and mmdebstrap is not installed. Let the "
            f"engine pull {public_base()}, or set BASE_IMAGE, or install mmdebstrap (a package of Debian and Ubuntu)."
        )
    part = tar.with_suffix(".part.tar")
    output("mmdebstrap", "--variant=minbase", f"--include={PACKAGES}", *OPTIONS, "bookworm", str(part))
    part.rename(tar)
