"""Airflow by the official chart, with helm/values.yaml and another values file on top."""

import hashlib
import json
import os
from pathlib import Path

from wakee_tools.deploy import release
from wakee_tools.deploy.chart import VERSION, find_chart
from wakee_tools.deploy.helm_values import values as chart_values
from wakee_tools.deploy.image_trial import try_image
from wakee_tools.images import built
from wakee_tools.paths import HELM
from wakee_tools.shell import ToolError, answer, output, say, succeeds, timed

SECRETS = (
    "airflow-metadata",
    "airflow-fernet-key",
    "airflow-api-secret-key",
    "airflow-jwt-secret",
    "airflow-users",
    "airflow-connections",
)
VALUES_KIND = HELM / "values-kind.yaml"
VERSIONS = "jsonpath={.items[*].metadata.resourceVersion}"
FIRST_WITH_SERVER_SIDE_APPLY = 22
"""Minor version of Kubernetes. On older ones, a bug affects Helm 4's server-side apply."""
DIFFERENT = 1
"""Exit code of `kubectl diff` if there are differences."""


def values_file() -> Path:
    """The file in VALUES, by default the one for production."""
    return Path(os.environ.get("VALUES") or HELM / "values-production.yaml")


def install(values: Path) -> None:
    """Install or upgrade Airflow.

    Raises:
        ToolError: the chart, the cluster or an object that the pods need is missing, or the pods do not become ready.
    """
    chart = _chart_for(values)
    _require_cluster()
    _require_prerequisites()
    arguments = [*chart, *release.in_namespace(), *_value_files(values), *_settings(values), *_apply()]
    with timed(f"Airflow (chart {VERSION}) with {values.name}"):
        _try_image(values)
        release.upgrade(arguments)


def diff(values: Path) -> None:
    """Print the changes that an installation would make.

    Raises:
        ToolError: as for `install`.
    """
    chart = _chart_for(values)
    _require_cluster()
    _require_prerequisites()
    rendered = output(
        "helm", "template", release.NAME, *chart, *release.in_namespace(), *_value_files(values), *_settings(values)
    )
    found = answer(*release.kubectl(), "diff", "-f", "-", text=rendered)
    print(found.stdout, end="")
    if found.returncode > DIFFERENT:
        raise ToolError(f"kubectl diff ended with {found.returncode}: {found.stderr.strip()}")
    if found.returncode == 0:
        say("no difference")


def render(values: Path) -> str:
    """Render the chart with the values, as YAML."""
    chart = _chart_for(values)
    return output("helm", "template", release.NAME, *chart, *release.in_namespace(), *_value_files(values))


def rollback(revision: str) -> None:
    """Roll back to a revision; 0 is the previous one."""
    _require_cluster()
    with timed("rollback"):
        release.rollback_to(revision)


def uninstall() -> None:
    """Remove Airflow. Its database and Secrets are kept."""
    _require_cluster()
    say("not removed: Secrets, the database and the objects of k8s/")
    release.uninstall()


def _chart_for(values: Path) -> tuple[str, ...]:
    if not values.is_file():
        raise ToolError(f"Cannot find the values file {values}. Set VALUES to an existing file.")
    return find_chart()


def _require_cluster() -> None:
    if not succeeds("kubectl", "version"):
        raise ToolError(f"No cluster answers at {os.environ['KUBECONFIG']}. Set CLUSTER to a kubeconfig.")
    say(f"cluster {output('kubectl', 'config', 'current-context')}")


def _require_prerequisites() -> None:
    """Check that the objects exist which the chart's pods need and the chart does not create."""
    remedy = "Run 'make environment-apply' first."
    if not _exists("serviceaccount", "airflow"):
        raise ToolError(f"The service account airflow does not exist. {remedy}")
    if not _exists("configmap", "wakee-images"):
        raise ToolError(f"The ConfigMap wakee-images does not exist in namespace {release.namespace()}. {remedy}")
    if missing := [name for name in SECRETS if not _exists("secret", name)]:
        raise ToolError(
            f"Secrets are missing in namespace {release.namespace()}: {' '.join(missing)}. See docs/production.md."
        )


def _exists(kind: str, name: str) -> bool:
    return succeeds(*release.kubectl(), "get", kind, name)


def _value_files(values: Path) -> list[str]:
    return ["--values", str(HELM / "values.yaml"), "--values", str(values)]


def _settings(values: Path) -> list[str]:
    """Helm's options with a digest of the ConfigMap and the Secrets, so that pods restart when one of them changes."""
    data = answer(*release.kubectl(), "get", "configmap", "wakee-images", "-o", "jsonpath={.data}").stdout
    versions = answer(*release.kubectl(), "get", "secrets", *SECRETS, "-o", VERSIONS).stdout
    digest = hashlib.sha256((data + versions).encode()).hexdigest()[:12]
    settings = ["--set-string", rf"airflowPodAnnotations.wakee\.io/settings={digest}"]
    image = _built_image(values)
    return settings + (image_settings(image) if image else [])


def _built_image(values: Path) -> str:
    """The image that `make images` built, for the local cluster; empty for others."""
    return built.known().get("airflow", "") if values.name == VALUES_KIND.name else ""


def _try_image(values: Path) -> None:
    """Try Airflow's image before pods that work are replaced."""
    found = chart_values(values.resolve())
    image = found["images"]["airflow"]
    version = f"@{image['digest']}" if image.get("digest") else f":{image.get('tag')}"
    secrets = [secret["name"] for secret in found.get("imagePullSecrets") or []]
    try_image(_built_image(values) or f"{image['repository']}{version}", *secrets)


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
