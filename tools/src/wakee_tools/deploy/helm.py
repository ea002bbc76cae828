"""Airflow by the official chart, with helm/values.yaml and another file of values on top."""

import hashlib
import json
import os
from pathlib import Path

from wakee_tools.deploy import release
from wakee_tools.deploy.chart import VERSION, find_chart
from wakee_tools.images import built
from wakee_tools.paths import HELM
from wakee_tools.shell import ToolError, answer, output, say, succeeds, timed

KUBECTL = release.KUBECTL
SECRETS = (
    "airflow-metadata",
    "airflow-fernet-key",
    "airflow-api-secret-key",
    "airflow-jwt-secret",
    "airflow-users",
    "airflow-connections",
)
VALUES_KIND = HELM / "values-kind.yaml"
FIRST_WITH_SERVER_SIDE_APPLY = 22
"""The minor version of Kubernetes; on older ones, the server-side apply of Helm 4 meets a defect."""
DIFFERENT = 1
"""The exit code of `kubectl diff` when something differs."""


def values_file() -> Path:
    """VALUES, or those for production."""
    return Path(os.environ.get("VALUES") or HELM / "values-production.yaml")


def install(values: Path) -> None:
    """Install or upgrade Airflow.

    Raises:
        ToolError: the chart, the cluster or something that the pods need is missing, or the pods do not become ready.
    """
    chart = _chart_for(values)
    _require_cluster()
    _require_prerequisites()
    arguments = [*chart, *release.IN_NAMESPACE, *_value_files(values), *_settings(values), *_apply()]
    with timed(f"Airflow (chart {VERSION}) with {values.name}"):
        release.upgrade(arguments)


def diff(values: Path) -> None:
    """Print what an installation would change.

    Raises:
        ToolError: as for `install`.
    """
    chart = _chart_for(values)
    _require_cluster()
    _require_prerequisites()
    rendered = output(
        "helm", "template", release.NAME, *chart, *release.IN_NAMESPACE, *_value_files(values), *_settings(values)
    )
    found = answer(*KUBECTL, "diff", "-f", "-", text=rendered)
    print(found.stdout, end="")
    if found.returncode > DIFFERENT:
        raise ToolError(f"kubectl diff ended with {found.returncode}: {found.stderr.strip()}")
    if found.returncode == 0:
        say("no difference")


def render(values: Path) -> str:
    """What the chart makes of the values, as YAML."""
    chart = _chart_for(values)
    return output("helm", "template", release.NAME, *chart, *release.IN_NAMESPACE, *_value_files(values))


def rollback(revision: str) -> None:
    """Go back to a revision; 0 is the one before."""
    _require_cluster()
    with timed("rollback"):
        release.rollback_to(revision)


def uninstall() -> None:
    """Remove Airflow; its database and Secrets stay."""
    _require_cluster()
    say("Secrets, the database and k8s/ stay")
    release.uninstall()


def _chart_for(values: Path) -> tuple[str, ...]:
    if not values.is_file():
        raise ToolError(f"no file {values}: set VALUES")
    return find_chart()


def _require_cluster() -> None:
    if not succeeds("kubectl", "version"):
        raise ToolError(f"no cluster answers at {os.environ['KUBECONFIG']}: set CLUSTER to a kubeconfig")
    say(f"cluster {output('kubectl', 'config', 'current-context')}")


def _require_prerequisites() -> None:
    """What the chart's pods name and the chart does not make."""
    remedy = "apply k8s/overlays/production (a copy of it) first"
    if not _exists("serviceaccount", "airflow"):
        raise ToolError(f"no service account airflow: {remedy}")
    if not _exists("configmap", "wakee-images"):
        raise ToolError(f"no ConfigMap wakee-images in namespace {release.NAMESPACE}: {remedy}")
    if missing := [name for name in SECRETS if not _exists("secret", name)]:
        raise ToolError(
            f"no Secret {' '.join(missing)} in namespace {release.NAMESPACE}: docs/production.md says how to make them"
        )


def _exists(kind: str, name: str) -> bool:
    return succeeds(*KUBECTL, "get", kind, name)


def _value_files(values: Path) -> list[str]:
    return ["--values", str(HELM / "values.yaml"), "--values", str(values)]


def _settings(values: Path) -> list[str]:
    """Pods read the ConfigMap when they start; a change of it is a reason to start again."""
    data = answer(*KUBECTL, "get", "configmap", "wakee-images", "-o", "jsonpath={.data}").stdout
    digest = hashlib.sha256(data.encode()).hexdigest()[:12]
    settings = ["--set-string", rf"airflowPodAnnotations.wakee\.io/settings={digest}"]
    image = built.known().get("airflow", "") if values.name == VALUES_KIND.name else ""
    return settings + (image_settings(image) if image else [])


def image_settings(image: str) -> list[str]:
    """Helm's options for an image that `make images` built."""
    repository, _, tag = image.rpartition(":")
    return ["--set", f"images.airflow.repository={repository}", "--set-string", f"images.airflow.tag={tag}"]


def _apply() -> list[str]:
    minor = minor_version(output("kubectl", "version", "-o", "json"))
    return [] if minor >= FIRST_WITH_SERVER_SIDE_APPLY else ["--server-side=false"]


def minor_version(versions: str) -> int:
    """The server's minor version, from what `kubectl version -o json` prints."""
    return int(json.loads(versions)["serverVersion"]["minor"].rstrip("+"))
