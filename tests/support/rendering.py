"""The objects of a kustomization under k8s/, or of an environment's settings file."""

import shutil
import subprocess
from typing import Any

import yaml

from support.sandbox import REPO
from wakee_tools.environments import manifests, settings


def rendered(source: str) -> list[dict[str, Any]]:
    """Render e.g. `overlays/kind` or `environments/production.yaml`."""
    if source.startswith("environments/"):
        return [each for each in yaml.safe_load_all(manifests.render(settings.load(REPO / source))) if each]
    kubectl = shutil.which("kubectl")
    assert kubectl, "kubectl is missing: run 'make tools'"
    done = subprocess.run([kubectl, "kustomize", REPO / "k8s" / source], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [document for document in yaml.safe_load_all(done.stdout) if document]
