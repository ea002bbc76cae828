"""The virtual environments of the repository, from tools/bootstrap.py."""

import sys

from wakee_tools.paths import CACHE, REPO
from wakee_tools.shell import call, output

PIP = CACHE / "uv-venv" / "bin" / "pip"


def make_environments(*names: str) -> None:
    """Create `.venvs/NAME` for each name, unless it exists and is up to date."""
    call(sys.executable, str(REPO / "tools" / "bootstrap.py"), *names)


def find_links() -> str:
    """The find-links setting of pip: folders and pages of wheels."""
    return ",".join(output(str(PIP), "config", "get", "global.find-links", quiet=True).split())
