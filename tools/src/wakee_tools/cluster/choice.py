"""Which cluster this is, and how Airflow is installed on it. Read from the environment, else from what is there."""

import functools
import os
from enum import StrEnum
from typing import TypeVar

from wakee_tools.shell import ToolError, succeeds

Choice = TypeVar("Choice", bound=StrEnum)


class ClusterKind(StrEnum):
    """Where Kubernetes comes from."""

    KIND = "kind"
    DEBIAN = "debian"


class AirflowInstall(StrEnum):
    """How Airflow gets to the cluster: by the official Helm chart, or by k8s/airflow."""

    CHART = "chart"
    MANIFESTS = "manifests"


@functools.cache
def docker_answers() -> bool:
    """Whether there is a Docker engine that answers, not only its client."""
    return succeeds("docker", "info")


def cluster_kind() -> ClusterKind:
    """WAKEE_CLUSTER, else kind where a Docker engine answers.

    Raises:
        ToolError: WAKEE_CLUSTER is neither.
    """
    if named := os.environ.get("WAKEE_CLUSTER"):
        return chosen(ClusterKind, "WAKEE_CLUSTER", named)
    return ClusterKind.KIND if docker_answers() else ClusterKind.DEBIAN


def airflow_install() -> AirflowInstall:
    """AIRFLOW_INSTALL, else the chart on kind.

    Raises:
        ToolError: AIRFLOW_INSTALL is neither.
    """
    if named := os.environ.get("AIRFLOW_INSTALL"):
        return chosen(AirflowInstall, "AIRFLOW_INSTALL", named)
    return AirflowInstall.CHART if cluster_kind() is ClusterKind.KIND else AirflowInstall.MANIFESTS


def chosen(choices: type[Choice], variable: str, value: str) -> Choice:
    """The member that a variable names.

    Raises:
        ToolError: it names none.
    """
    try:
        return choices(value)
    except ValueError as error:
        names = " or ".join(choices)
        raise ToolError(f"{variable} is '{value}'. Set it to {names}, or leave it out.") from error
