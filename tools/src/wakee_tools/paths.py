"""Where things lie."""

import os
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wakee-airflow"
"""Downloads and builds: safe to delete, slow to refill."""
STATE = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "wakee-airflow"
"""What the running cluster owns."""
TOOLS = CACHE / "tools"
"""uv, kubectl and helm, from tools/bootstrap.py."""
BUILD = REPO / ".build"
HELM = REPO / "helm"
OVERLAYS = REPO / "k8s" / "overlays"
PYTHON_VERSION = (REPO / ".python-version").read_text().strip()
"""Of the images and of the virtual environments, e.g. "3.11"."""
KUBECONFIG = REPO / ".kube" / "config"
"""Of the local cluster."""


def program(environment: str, name: str) -> str:
    """A program of one of the virtual environments, e.g. `program("drift", "python")`."""
    return str(REPO / ".venvs" / environment / "bin" / name)
