"""`wakee environment`: an environment from its settings file."""

import os
from pathlib import Path
from typing import Annotated

import typer
import yaml

from wakee_tools.deploy import helm, release, rollout
from wakee_tools.deploy.image_trial import try_image
from wakee_tools.deploy.progress import reported_pods
from wakee_tools.deploy.rollout import replace_changed_jobs, wait_for
from wakee_tools.environments import airflow_values, manifests
from wakee_tools.environments.settings import Environment, load
from wakee_tools.shell import ToolError, answer, say, succeeds, timed

app = typer.Typer(no_args_is_help=True)
File = Annotated[Path, typer.Argument(help="The settings file, e.g. environments/staging.yaml.", metavar="FILE")]
MIGRATION = "wakee-db-upgrade"
MIGRATION_SECONDS = 300
CHANGED = 1
"""Exit code of `kubectl diff` if there are differences."""


@app.callback()
def environment_group() -> None:
    """Install an environment (production, staging, ...) from one settings file (docs/production.md).

    The file names images, addresses, sizes, GPUs and alerts. `render` writes from it the Kubernetes objects and the
    Helm values to .build/environments/NAME. Secrets are not in the file: they are created beforehand.

    Environment variables: CLUSTER is the kubeconfig. CHART, CHART_REPO and HELM_TIMEOUT: see `wakee helm --help`.
    """


@app.command()
def check(file: File) -> None:
    """Check the settings file, without a cluster. Every fault is named with its key."""
    environment = load(file)
    airflow_values.values(environment)
    say(f"{file} is valid: {len(environment.stages)} variables of stages, namespaces {_namespaces(environment)}")


@app.command()
def render(file: File) -> None:
    """Write the Kubernetes objects and the Helm values, without a cluster, and print where."""
    for path in _written(load(file)):
        print(path)


@app.command()
def diff(file: File) -> None:
    """Print what `apply` would change in the cluster. Exits with 1 if there are changes of Kubernetes objects.

    The migration Job is left out: `apply` deletes and creates it again.
    """
    environment = load(file)
    objects, values = _written(environment)
    found = answer("kubectl", "diff", "-f", "-", text=_without_jobs(objects.read_text()))
    print(found.stdout, end="")
    if found.returncode > CHANGED:
        raise ToolError(f"Cannot compare {environment.name} with the cluster: {found.stderr.strip()}")
    _use(environment)
    if succeeds(*release.kubectl(), "get", "serviceaccount", "airflow"):
        helm.diff(values)
    else:
        say("Airflow is not installed yet")
    raise typer.Exit(found.returncode)


@app.command()
def apply(file: File) -> None:
    """Install the environment, or change it: Kubernetes objects, the schema migration, then Airflow by Helm."""
    environment = load(file)
    objects, values = _written(environment)
    _check_owner(environment)
    _use(environment)
    try_image(environment.images.airflow, *airflow_values.pull_secrets(environment))
    stages, source = environment.namespaces.stages, ("-f", str(objects))
    with timed(f"Kubernetes objects of {environment.name}"):
        replace_changed_jobs(source, f"{stages}/{MIGRATION}")
        rollout.apply(*source)
    with timed("schema migration"), reported_pods(stages):
        wait_for(stages, f"job/{MIGRATION}", seconds=MIGRATION_SECONDS)
    helm.install(values)


def _check_owner(environment: Environment) -> None:
    """Check that the namespaces do not belong to another environment.

    Raises:
        ToolError: their label names another one.
    """
    label = manifests.LABEL.replace(".", r"\.")
    for namespace in (environment.namespaces.stages, environment.namespaces.airflow):
        owner = answer("kubectl", "get", "namespace", namespace, "-o", f"jsonpath={{.metadata.labels.{label}}}").stdout
        if owner not in {"", environment.name}:
            raise ToolError(
                f"Cannot apply {environment.name}: the namespace {namespace} belongs to {owner}. "
                "Choose other namespaces, or correct the name of the environment."
            )


def _without_jobs(text: str) -> str:
    return yaml.safe_dump_all([each for each in yaml.safe_load_all(text) if each and each["kind"] != "Job"])


def _written(environment: Environment) -> tuple[Path, Path]:
    """Write both files; return their paths."""
    objects = manifests.render(environment)
    here = manifests.folder(environment)
    paths = here / "manifests.yaml", here / "airflow-values.yaml"
    paths[0].write_text(objects)
    paths[1].write_text(yaml.safe_dump(airflow_values.values(environment), sort_keys=False, width=120))
    return paths


def _use(environment: Environment) -> None:
    os.environ["AIRFLOW_NAMESPACE"] = environment.namespaces.airflow
    say(f"Airflow in the namespace {release.namespace()}")


def _namespaces(environment: Environment) -> str:
    return f"{environment.namespaces.stages} and {environment.namespaces.airflow}"
