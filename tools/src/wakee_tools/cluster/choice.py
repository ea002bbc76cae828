"""The kind of cluster and of Airflow installation: from the environment, or else detected."""

import functools
import os
from enum import StrEnum
from typing import TypeVar

from wakee_tools.shell import ToolError, succeeds

Choice = TypeVar("Choice", bound=StrEnum)


class ClusterKind(StrEnum):
    """The source of Kubernetes."""

    KIND = "kind"
    DEBIAN = "debian"


class AirflowInstall(StrEnum):
    """How Airflow is installed: by the official Helm chart, or by the manifests in k8s/airflow."""

    CHART = "chart"
    MANIFESTS = "manifests"


@functools.cache
def docker_answers() -> bool:
    """Whether a Docker engine responds, and not only its client is installed."""
    return succeeds("docker", "info")


def cluster_kind() -> ClusterKind:
    """WAKEE_CLUSTER, or else kind if a Docker engine responds.

    Raises:
        ToolError: WAKEE_CLUSTER has an unknown value.
    """
    if named := os.environ.get("WAKEE_CLUSTER"):
        return chosen(ClusterKind, "WAKEE_CLUSTER", named)
    return ClusterKind.KIND if docker_answers() else ClusterKind.DEBIAN


def airflow_install() -> AirflowInstall:
    """AIRFLOW_INSTALL, or else the chart on kind.

    Raises:
        ToolError: AIRFLOW_INSTALL has an unknown value.
    """
    if named := os.environ.get("AIRFLOW_INSTALL"):
        return chosen(AirflowInstall, "AIRFLOW_INSTALL", named)
    return AirflowInstall.CHART if cluster_kind() is ClusterKind.KIND else AirflowInstall.MANIFESTS


def chosen(choices: type[Choice], variable: str, value: str) -> Choice:
    """Convert the value of a variable to a member of `choices`.

    Raises:
        ToolError: the value is unknown.
    """
    try:
        return choices(value)
    except ValueError as error:
        names = " or ".join(choices)
        raise ToolError(f"{variable} is '{value}'. Set it to {names}, or unset it.") from error
