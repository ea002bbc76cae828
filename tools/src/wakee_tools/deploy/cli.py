"""`wakee up`, `wakee deploy` and `wakee helm`."""

import os
from typing import Annotated

import typer

from wakee_tools.deploy import helm, helm_schema, installation

app = typer.Typer(no_args_is_help=True)


def up() -> None:
    """Cluster, images, sandbox and Airflow, ready to use.

    Checks the machine first, then builds images and cluster side by side, then deploys. Run it again after a change:
    only what changed is done anew. WAKEE_CLUSTER=kind|debian chooses the cluster, AIRFLOW_INSTALL=chart|manifests how
    Airflow gets there.
    """
    installation.up()


def deploy() -> None:
    """Apply everything to the local cluster and wait until all is ready.

    Secrets that do not exist yet, the kind overlay with the tags of the images as they are now, the schema migration,
    then Airflow. Airflow comes by the official chart on kind, and by the plain manifests of k8s/airflow elsewhere;
    AIRFLOW_INSTALL=chart|manifests chooses. CHART and CHART_REPO: see `wakee helm --help`.
    """
    installation.deploy()


def ready(seconds: Annotated[float, typer.Option(help="How long to wait.")] = installation.DAG_SECONDS) -> None:
    """Wait until Airflow has read every DAG file; fail with the error of one that it cannot import."""
    installation.wait_for_dags(seconds)


@app.callback()
def helm_group() -> None:
    """Airflow by the official chart, on any cluster (docs/production.md).

    By environment: CLUSTER is the kubeconfig, else it is the local cluster's. VALUES is the file on top of
    helm/values.yaml, else it is helm/values-production.yaml. CHART is a folder or .tgz of the chart, CHART_REPO another
    repository; without either, the chart comes from a cached copy, else from its official repository. HELM_TIMEOUT says
    how long to wait for pods (10m).
    """


@app.command()
def install() -> None:
    """Install or upgrade Airflow; an upgrade that fails is put back."""
    helm.install(helm.values_file())


@app.command()
def diff() -> None:
    """Print what `install` would change."""
    helm.diff(helm.values_file())


@app.command()
def render() -> None:
    """Print what the chart makes of the values, without a cluster."""
    print(helm.render(helm.values_file()))


@app.command()
def rollback() -> None:
    """Back to the revision before, or REVISION (helm history airflow -n airflow)."""
    helm.rollback(os.environ.get("REVISION") or "0")


@app.command()
def uninstall() -> None:
    """Remove Airflow; its database and Secrets stay."""
    helm.uninstall()


@app.command()
def check() -> None:
    """Check helm/*.yaml against the chart's JSON schema, whose path is in CHART_SCHEMA; end with 1 when one is invalid.

    Root keys included, which Helm itself lets pass.
    """
    raise typer.Exit(0 if helm_schema.check(os.environ.get("CHART_SCHEMA", "")) else 1)
