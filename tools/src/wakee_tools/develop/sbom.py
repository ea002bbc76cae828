"""Write the bill of materials that each image contains (/usr/share/doc/wakee/sbom.cdx.json), without building it.

Our own packages and the Debian packages of the base image are not included.
"""

import json
from pathlib import Path

from wakee_tools.paths import PYTHON_VERSION, REPO
from wakee_tools.shell import ToolError, answer, say

LOCKS = {
    "airflow": ("airflow", "requirements.lock"),
    "drift": ("drift", "requirements.lock"),
    "health": ("health", "requirements.lock"),
    "sandbox": ("sandbox", "requirements.lock"),
    "train": ("train", "requirements-cuda.lock"),
    "train-cpu": ("train", "requirements.lock"),
}
"""Image and lock file of each bill."""
TOOLS = REPO / "images" / "sbom"
UV_RUN = ("uv", "run", "-q", "--no-project", "--isolated", "--python", f"python{PYTHON_VERSION}")


def write_bills(folder: Path, names: list[str]) -> None:
    """Write NAME.json for each name to a folder.

    Raises:
        ToolError: a name is unknown, or a bill cannot be created.
    """
    if unknown := set(names) - LOCKS.keys():
        raise ToolError(f"Unknown image {', '.join(sorted(unknown))}. Use some of {', '.join(LOCKS)}.")
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        count = write_bill(name, folder / f"{name}.json")
        say(f"{name}: {count} packages")
    say(f"written to {folder}")


def write_bill(name: str, path: Path) -> int:
    """Write one bill. Returns the number of its packages."""
    image, lock = LOCKS[name]
    requirements = ("--with-requirements", str(TOOLS / "requirements.lock"))
    bill = (str(TOOLS / "bill.sh"), str(REPO / "images" / image), lock, str(path))
    done = answer(*UV_RUN, *requirements, *bill)
    if done.returncode:
        raise ToolError(f"Cannot create the bill of materials of {name}: {done.stderr.strip()}")
    return len(json.loads(path.read_text())["components"])
