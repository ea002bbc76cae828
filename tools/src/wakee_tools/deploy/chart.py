"""Find the official Airflow chart, always in the same version.

CHART is a folder or .tgz of the chart, or its name in a configured helm repository. CHART_REPO is the URL of another
repository. Without either, the chart comes from the cache, or else from its official repository.
"""

import functools
import hashlib
import os
from pathlib import Path

from wakee_tools.paths import CACHE
from wakee_tools.shell import ToolError, answer, last_lines, say

VERSION = "1.22.0"
SHA256 = "1f7d1dfe3d58e2c54899950aba907a43625a18c8b6fb3c54760c21592129a5b6"
OFFICIAL_REPO = "https://airflow.apache.org"
CACHED = CACHE / "charts" / f"airflow-{VERSION}.tgz"


@functools.cache
def find_chart() -> tuple[str, ...]:
    """Return Helm's arguments for the chart, after checking that it can be read.

    Raises:
        ToolError: the chart is missing, or has another version.
    """
    chart = _chosen()
    shown = answer("helm", "show", "chart", *chart)
    if shown.returncode:
        raise ToolError(
            f"Cannot read the airflow chart {chart[0]}: {last_lines(shown.stderr, 1)}. "
            f"Set CHART to a .tgz or folder of version {VERSION}."
        )
    if f"version: {VERSION}" not in shown.stdout.splitlines():
        raise ToolError(
            f"{chart[0]} is not version {VERSION} of the airflow chart, which helm/values.yaml is written for."
        )
    return chart


def _chosen() -> tuple[str, ...]:
    if repository := os.environ.get("CHART_REPO"):
        return "airflow", "--repo", repository, "--version", VERSION
    if named := os.environ.get("CHART"):
        if Path(named).is_file():
            _check_digest(Path(named))
        return named, "--version", VERSION
    if not CACHED.exists():
        _download()
    _check_digest(CACHED)
    return (str(CACHED),)


def _check_digest(path: Path) -> None:
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256:
        raise ToolError(
            f"{path} is not the airflow chart {VERSION} as published (its SHA-256 is not {SHA256}). Download it again."
        )


def _download() -> None:
    say(f"downloading the airflow chart {VERSION} from {OFFICIAL_REPO}")
    CACHED.parent.mkdir(parents=True, exist_ok=True)
    where = ("--repo", OFFICIAL_REPO, "--version", VERSION, "--destination", str(CACHED.parent))
    pulled = answer("helm", "pull", "airflow", *where)
    if pulled.returncode:
        raise ToolError(
            f"Cannot get the airflow chart {VERSION}: {last_lines(pulled.stdout + pulled.stderr, 1)}.\n"
            f"       Set CHART to a .tgz or folder of it, or CHART_REPO to a mirror of {OFFICIAL_REPO}.\n"
            "       On the local cluster, AIRFLOW_INSTALL=manifests installs Airflow without the chart."
        )
