"""A kustomization on top of the local overlay, with the tags of the loaded images and Airflow's settings."""

import hashlib
import json
from pathlib import Path
from typing import Any

from wakee_tools.cluster.choice import AirflowInstall
from wakee_tools.deploy.helm_values import environment, values
from wakee_tools.images import built
from wakee_tools.paths import BUILD, OVERLAYS

FOLDER = BUILD / "kind"
SETTINGS = FOLDER / "airflow.env"
LOCAL_OVERLAYS = {AirflowInstall.CHART: "kind", AirflowInstall.MANIFESTS: "debian"}


def write(install: AirflowInstall) -> None:
    """Write the kustomization and the file that it reads to .build/kind."""
    images = built.images()
    FOLDER.mkdir(parents=True, exist_ok=True)
    variables = environment(values("values-kind.yaml"))
    SETTINGS.write_text("".join(f"{name}={value}\n" for name, value in sorted(variables.items())))
    read = [SETTINGS, OVERLAYS / "kind" / "airflow.env", built.IMAGES_ENV]
    written = kustomization(install, images, digest(read))
    # JSON is valid YAML, and keeps a tag of digits a string.
    (FOLDER / "kustomization.yaml").write_text(json.dumps(written, indent=2) + "\n")


def digest(files: list[Path]) -> str:
    """A digest of the files that pods read when they start."""
    return hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:12]


def kustomization(install: AirflowInstall, images: dict[str, str], settings: str) -> dict[str, Any]:
    """Create the kustomization.

    Args:
        install: How Airflow is installed.
        images: Images by name.
        settings: A digest of the settings that Airflow's pods read when they start.
    """
    literals = [f"WAKEE_{name.upper()}_IMAGE={image}" for name, image in images.items()]
    if "sandbox" in images:
        literals.append(f"WAKEE_XCOM_IMAGE={images['sandbox']}")
    generators = [{"name": "wakee-images", "namespace": "airflow", "behavior": "merge", "literals": literals}]
    plain = install is AirflowInstall.MANIFESTS
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "generatorOptions": {"disableNameSuffixHash": True},
        "resources": [f"../../k8s/overlays/{LOCAL_OVERLAYS[install]}"],
        "images": [_new_tag(name, image) for name, image in images.items()],
        "configMapGenerator": [*generators, *([_plain_settings()] if plain else [])],
        **({"patches": [_restart_patch(settings)]} if plain else {}),
    }


def _new_tag(name: str, image: str) -> dict[str, str]:
    return {"name": f"localhost/wakee/{name}", "newTag": image.rpartition(":")[2]}


def _plain_settings() -> dict[str, Any]:
    """The ConfigMap with Airflow's settings for the plain manifests."""
    return {"name": "airflow-config", "namespace": "airflow", "envs": [SETTINGS.name]}


def _restart_patch(settings: str) -> dict[str, Any]:
    """A patch that restarts pods when their settings change."""
    annotations = {"op": "add", "path": "/spec/template/metadata/annotations", "value": {"wakee.io/settings": settings}}
    return {"target": {"kind": "Deployment", "namespace": "airflow"}, "patch": json.dumps([annotations])}
