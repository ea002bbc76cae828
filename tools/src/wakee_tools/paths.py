"""Paths of files and folders."""

import os
from pathlib import Path

REPO = Path(__file__).resolve().parents[3]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "wakee-airflow"
"""Downloads and builds. Safe to delete, but slow to recreate."""
STATE = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "wakee-airflow"
"""Data of the running cluster."""
TOOLS = CACHE / "tools"
"""uv, kubectl and helm, installed by tools/bootstrap.py."""
BUILD = REPO / ".build"
HELM = REPO / "helm"
OVERLAYS = REPO / "k8s" / "overlays"
PYTHON_VERSION = (REPO / ".python-version").read_text().strip()
"""Python version of the images and virtual environments, e.g. "3.11"."""
KUBECONFIG = REPO / ".kube" / "config"
"""Kubeconfig of the local cluster."""


def program(environment: str, name: str) -> str:
    """The path of a program in a virtual environment, e.g. `program("drift", "python")`."""
    return str(REPO / ".venvs" / environment / "bin" / name)
