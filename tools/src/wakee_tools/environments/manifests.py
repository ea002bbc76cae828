"""The Kubernetes objects of an environment, as YAML for `kubectl apply`: k8s/base and components with its settings."""

import json
import os
from pathlib import Path
from typing import Any

import yaml

from wakee_tools.environments.settings import Environment
from wakee_tools.paths import BUILD, REPO
from wakee_tools.shell import ToolError, output

STAGES, AIRFLOW = "wakee", "airflow"
"""The namespaces in k8s/."""
LABEL = "wakee.io/environment"
SCRAPED = {"airflow-statsd": AIRFLOW, "pushgateway": STAGES}
"""Services in k8s/components/monitoring/scrape.yaml, with their namespaces."""
NAMESPACE_KEYS = ("namespace", "kubernetes.io/metadata.name")


def folder(environment: Environment) -> Path:
    """The folder of the rendered files."""
    return BUILD / "environments" / environment.name


def render(environment: Environment) -> str:
    """Render the objects as YAML.

    Raises:
        ToolError: kustomize failed, or a file of `resources` does not exist.
    """
    here = folder(environment)
    here.mkdir(parents=True, exist_ok=True)
    # JSON is valid YAML, and keeps a tag of digits a string.
    (here / "kustomization.yaml").write_text(json.dumps(kustomization(environment, here), indent=2) + "\n")
    names = {STAGES: environment.namespaces.stages, AIRFLOW: environment.namespaces.airflow}
    found = yaml.safe_load_all(output("kubectl", "kustomize", str(here)))
    objects = [_addressed(_labelled(in_namespaces(each, names), environment), names) for each in found if each]
    return yaml.safe_dump_all(objects, sort_keys=False, width=120) + "".join(map(_resource, _files(environment)))


def kustomization(environment: Environment, here: Path) -> dict[str, Any]:
    """The kustomization of an environment.

    Args:
        environment: Its settings.
        here: The folder it is written to, from which its paths start.
    """
    components = (["gpu"] if environment.gpu.count else []) + (["monitoring"] if environment.monitoring else [])
    k8s = os.path.relpath(REPO / "k8s", here)
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "generatorOptions": {"disableNameSuffixHash": True},
        "resources": [f"{k8s}/base"],
        "components": [f"{k8s}/components/{name}" for name in components],
        "configMapGenerator": [
            _config_map("wakee-config", STAGES, environment.stages),
            _config_map("wakee-images", AIRFLOW, _airflow_variables(environment)),
        ],
        "images": _images(environment),
        "patches": _patches(environment),
    }


def in_namespaces(found: Any, names: dict[str, str]) -> Any:
    """Return an object, or a part of one, with its namespaces renamed.

    Args:
        found: The object.
        names: The new names by the old ones.
    """
    if isinstance(found, list):
        return [in_namespaces(each, names) for each in found]
    if not isinstance(found, dict):
        return found
    renamed: dict[str, Any] = {
        key: names.get(value, value)
        if key in NAMESPACE_KEYS and isinstance(value, str)
        else in_namespaces(value, names)
        for key, value in found.items()
    }
    if found.get("kind") == "Namespace":
        name = found["metadata"]["name"]
        renamed["metadata"] = renamed["metadata"] | {"name": names.get(name, name)}
    return renamed


def _labelled(found: dict[str, Any], environment: Environment) -> dict[str, Any]:
    """Label a namespace with the environment that it belongs to."""
    if found["kind"] == "Namespace":
        found["metadata"].setdefault("labels", {})[LABEL] = environment.name
    return found


def _addressed(found: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Replace the namespaces in the addresses that Prometheus scrapes, which are text in a ConfigMap."""
    if found["kind"] == "ConfigMap" and found["metadata"]["name"] == "wakee-prometheus":
        for host, namespace in SCRAPED.items():
            found["data"]["scrape.yaml"] = found["data"]["scrape.yaml"].replace(
                f"{host}.{namespace}:", f"{host}.{names[namespace]}:"
            )
    return found


def _airflow_variables(environment: Environment) -> dict[str, str]:
    gpu = environment.gpu
    given = environment.airflow.variables | environment.images.variables
    gpus = {
        "WAKEE_GPU_COUNT": str(gpu.count),
        "WAKEE_GPU_RESOURCE": gpu.resource,
        "WAKEE_GPU_NODE_SELECTOR": json.dumps(gpu.node_selector),
        "WAKEE_GPU_WAIT_SECONDS": str(gpu.wait_seconds),
    }
    return given | {"WAKEE_NAMESPACE": environment.namespaces.stages} | (gpus if gpu.count else {})


def _config_map(name: str, namespace: str, variables: dict[str, str]) -> dict[str, Any]:
    return {"name": name, "namespace": namespace, "literals": [f"{key}={value}" for key, value in variables.items()]}


def _images(environment: Environment) -> list[dict[str, str]]:
    wanted = {"localhost/wakee/drift": environment.images.drift}
    if environment.monitoring and environment.images.pushgateway:
        wanted["prom/pushgateway"] = environment.images.pushgateway
    return [{"name": name, **split_image(image)} for name, image in wanted.items()]


def split_image(image: str) -> dict[str, str]:
    """The name, and the digest or tag, of an image, as kustomize has them."""
    name, at, digest = image.partition("@")
    if at:
        return {"newName": name, "digest": digest}
    name, _, tag = image.rpartition(":")
    return {"newName": name, "newTag": tag}


def _patches(environment: Environment) -> list[dict[str, Any]]:
    # A Job is immutable, so a finished one is deleted before the next version is applied.
    patches = [_added("Job", "wakee-db-upgrade", "/spec/ttlSecondsAfterFinished", 3600)]
    if environment.images.pull_secret:
        secrets = [{"name": environment.images.pull_secret}]
        patches.append(_added("ServiceAccount", "wakee-stage", "/imagePullSecrets", secrets))
    if environment.gpu.count:
        hard = {f"requests.{environment.gpu.resource}": str(environment.gpu.count)}
        patches.append(_added("ResourceQuota", "wakee-gpu", "/spec/hard", hard))
    return patches


def _added(kind: str, name: str, path: str, value: Any) -> dict[str, Any]:
    return {"target": {"kind": kind, "name": name}, "patch": json.dumps([{"op": "add", "path": path, "value": value}])}


def _files(environment: Environment) -> list[Path]:
    files = [environment.folder / name for name in environment.resources]
    if missing := [file for file in files if not file.is_file()]:
        raise ToolError(f"Cannot render {environment.name}: {missing[0]} does not exist. Correct `resources`.")
    return files


def _resource(file: Path) -> str:
    return f"---\n{file.read_text().strip()}\n"
