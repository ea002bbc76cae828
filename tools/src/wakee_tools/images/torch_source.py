"""Find a source of PyTorch's CPU build for this machine.

PyPI has one build of torch per platform. For Linux it is the CUDA build, with gigabytes of libraries that a laptop does
not use. PyTorch's own page has CPU builds. The lock file has the digest of the one for x86_64.
"""

import functools
import platform
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

from wakee_tools.images.pip_settings import pip_settings
from wakee_tools.paths import REPO
from wakee_tools.shell import say

LOCKS = REPO / "images" / "train"
CPU_WHEELS = "https://download.pytorch.org/whl/cpu/torch/"
"""PyTorch's page of CPU wheels. It only has links to torch and is not used as an index for other packages."""
SECONDS = 10


class TorchSource(NamedTuple):
    """The lock file to install, and where its wheels are besides the index."""

    variant: str
    """`cpu`: images/train/requirements.lock; `cuda`: requirements-cuda.lock, PyPI's own build."""
    find_links: list[str]


@functools.cache
def torch_source() -> TorchSource:
    """The smallest available torch: a local CPU wheel, the CPU wheel on PyTorch's page, or else PyPI's build."""
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        say(f"there is no locked CPU build of torch for {sys.platform} on {platform.machine()}: using PyPI's torch")
        return TorchSource("cuda", [])
    wheel = f"torch-{_locked_version()}-"
    folders = pip_settings().get("find-links", [])
    local = [folder for folder in folders if any(Path(folder).glob(f"{wheel}*.whl"))]
    if local:
        return TorchSource("cpu", local)
    if _has_wheel(CPU_WHEELS, wheel):
        return TorchSource("cpu", [CPU_WHEELS])
    say(
        f"{wheel}*.whl is not in a find-links folder of pip and {CPU_WHEELS} does not answer: using PyPI's torch (CUDA)"
    )
    return TorchSource("cuda", [])


def _locked_version() -> str:
    lines = (LOCKS / "requirements.lock").read_text().splitlines()
    (version,) = [line.split()[0].partition("==")[2] for line in lines if line.startswith("torch==")]
    return version


def _has_wheel(page: str, wheel: str) -> bool:
    try:
        with urllib.request.urlopen(page, timeout=SECONDS) as response:  # noqa: S310 - always https
            return wheel.replace("+", "%2B") in response.read().decode(errors="replace")
    except (urllib.error.URLError, TimeoutError):
        return False


if __name__ == "__main__":
    print(torch_source().variant, *torch_source().find_links)
