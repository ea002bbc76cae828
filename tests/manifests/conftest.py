"""Rendered overlays, once per session."""

import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

REPO = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def rendered():
    """A function: the objects of one of the kustomizations under k8s/."""
    kubectl = shutil.which("kubectl")
    assert kubectl, "kubectl is missing: run 'make tools'"
    known = {}

    def render(folder):
        if folder not in known:
            command = [kubectl, "kustomize", REPO / "k8s" / folder]
            done = subprocess.run(command, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            known[folder] = [document for document in yaml.safe_load_all(done.stdout) if document]
        return known[folder]

    return render


@pytest.fixture(scope="session")
def objects(rendered):
    """The objects of the kind overlay, with Airflow as the plain manifests bring it."""
    return rendered("overlays/debian")
