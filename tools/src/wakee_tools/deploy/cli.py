"""`wakee up`, `wakee deploy` and `wakee helm`."""

import os
from typing import Annotated

import typer

from wakee_tools.deploy import helm, helm_schema, installation

app = typer.Typer(no_args_is_help=True)


def up() -> None:
    """Create cluster, images, sandbox and Airflow, and wait until they are ready.

    Checks the machine, then builds images and cluster concurrently, then deploys. Run it again after a change: only
    what changed is updated. WAKEE_CLUSTER=kind|debian chooses the cluster, AIRFLOW_INSTALL=chart|manifests how Airflow
    is installed.
    """
    installation.up()


def deploy() -> None:
    """Apply everything to the local cluster and wait until it is ready.

    In order: missing Secrets, the kind overlay with the current image tags, the schema migration, Airflow. Airflow is
    installed by the official chart on kind, and by the manifests in k8s/airflow elsewhere.
    AIRFLOW_INSTALL=chart|manifests chooses. CHART and CHART_REPO: see `wakee helm --help`.
    """
    installation.deploy()


def ready(seconds: Annotated[float, typer.Option(help="How long to wait.")] = installation.DAG_SECONDS) -> None:
    """Wait until Airflow has parsed every DAG file. Fails with the import error of a file that it cannot import."""
    installation.wait_for_dags(seconds)


@app.callback()
def helm_group() -> None:
    """Manage Airflow by the official chart, on any cluster (docs/production.md).

    Environment variables: CLUSTER is the kubeconfig, by default the local cluster's. VALUES is the file on top of
    helm/values.yaml, by default helm/values-production.yaml. CHART is a folder or .tgz of the chart, CHART_REPO another
    repository; by default the chart comes from the cache, or else from its official repository. HELM_TIMEOUT is how
    long to wait for pods (10m). AIRFLOW_NAMESPACE is the namespace of Airflow (airflow).
    """


@app.command()
def install() -> None:
    """Install or upgrade Airflow. A failed upgrade is rolled back."""
    helm.install(helm.values_file())


@app.command()
def diff() -> None:
    """Print the changes that `install` would make."""
    helm.diff(helm.values_file())


@app.command()
def render() -> None:
    """Render the chart with the values, without a cluster."""
    print(helm.render(helm.values_file()))


@app.command()
def rollback() -> None:
    """Roll back to the previous revision, or to REVISION (helm history airflow -n airflow)."""
    helm.rollback(os.environ.get("REVISION") or "0")


@app.command()
def uninstall() -> None:
    """Remove Airflow. Its database and Secrets are kept."""
    helm.uninstall()


@app.command()
def check() -> None:
    """Validate helm/*.yaml against the chart's JSON schema, whose path is in CHART_SCHEMA. Exits with 1 if invalid.

    Unknown root keys are errors, too, although Helm itself accepts them.
    """
    raise typer.Exit(0 if helm_schema.check(os.environ.get("CHART_SCHEMA", "")) else 1)
