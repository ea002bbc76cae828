"""The Helm values of an environment: a preset of helm/, with the settings of the file on top."""

from typing import Any

import yaml

from wakee_tools.deploy.helm_values import merged
from wakee_tools.environments.manifests import STAGES, split_image
from wakee_tools.environments.settings import Environment
from wakee_tools.paths import HELM
from wakee_tools.shell import ToolError

CONNECTION = "AIRFLOW_CONN_KUBERNETES_DEFAULT"


def values(environment: Environment) -> dict[str, Any]:
    """The values on top of helm/values.yaml.

    Raises:
        ToolError: the preset does not exist.
    """
    preset = HELM / environment.airflow.preset
    if not preset.is_file():
        presets = ", ".join(sorted(file.name for file in HELM.glob("values-*.yaml")))
        raise ToolError(f"Cannot render {environment.name}: helm/{preset.name} does not exist. Use one of {presets}.")
    own = {
        "images": {
            "airflow": _image(environment.images.airflow),
            "pod_template": _worker_image(environment.images.airflow),
        },
        "config": {
            "api": {"base_url": environment.airflow.url},
            "logging": {"remote_base_log_folder": environment.airflow.logs},
        },
        "env": _variables(environment.namespaces.stages),
    }
    if secrets := pull_secrets(environment):
        own["imagePullSecrets"] = [{"name": name} for name in secrets]
    return dict(merged(merged(yaml.safe_load(preset.read_text()), own), environment.airflow.values))


def pull_secrets(environment: Environment) -> list[str]:
    """The names of the Secrets with the registry's credentials."""
    return [environment.images.pull_secret] if environment.images.pull_secret else []


def _image(image: str) -> dict[str, Any]:
    """The chart prefers a digest to a tag, so the other one is empty."""
    parts = split_image(image)
    return {"repository": parts["newName"], "tag": parts.get("newTag"), "digest": parts.get("digest")}


def _worker_image(image: str) -> dict[str, str]:
    """The image of KubernetesExecutor's pods. The chart has only a tag there, so a digest is split at its colon."""
    repository, _, tag = image.rpartition(":")
    return {"repository": repository, "tag": tag}


def _variables(namespace: str) -> list[dict[str, str]]:
    """The list `env` of helm/values.yaml, which a list replaces as a whole, with the namespace of the stages."""
    found = yaml.safe_load((HELM / "values.yaml").read_text())["env"]
    return [
        each | {"value": each["value"].replace(f'"namespace": "{STAGES}"', f'"namespace": "{namespace}"')}
        if each["name"] == CONNECTION
        else each
        for each in found
    ]
