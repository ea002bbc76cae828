"""`wakee environment`: an environment from its settings file."""

import os
from pathlib import Path
from typing import Annotated

import typer
import yaml

from wakee_tools.deploy import helm, release
from wakee_tools.deploy.progress import reported_pods
from wakee_tools.environments import airflow_values, manifests
from wakee_tools.environments.settings import Environment, load
from wakee_tools.shell import ToolError, answer, output, print_lines, say, timed

app = typer.Typer(no_args_is_help=True)
File = Annotated[Path, typer.Argument(help="The settings file, e.g. environments/staging.yaml.", metavar="FILE")]
MIGRATION = "job/wakee-db-upgrade"
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
    """Print what `apply` would change in the cluster. Exits with 1 if there are changes of Kubernetes objects."""
    environment = load(file)
    objects, values = _written(environment)
    found = answer("kubectl", "diff", "-f", str(objects))
    print(found.stdout, end="")
    if found.returncode > CHANGED:
        raise ToolError(f"Cannot compare with the cluster: {found.stderr.strip()}. Set CLUSTER to a kubeconfig.")
    _use(environment)
    helm.diff(values)
    raise typer.Exit(found.returncode)


@app.command()
def apply(file: File) -> None:
    """Install the environment, or change it: Kubernetes objects, the schema migration, then Airflow by Helm."""
    environment = load(file)
    objects, values = _written(environment)
    stages = ("kubectl", "-n", environment.namespaces.stages)
    with timed(f"Kubernetes objects of {environment.name}"):
        if answer("kubectl", "diff", "-f", str(objects)).returncode:
            output(*stages, "delete", MIGRATION, "--ignore-not-found")  # a Job is immutable
        print_lines(output("kubectl", "apply", "-f", str(objects)))
    with timed("schema migration"), reported_pods(environment.namespaces.stages):
        _wait_for_migration(stages)
    _use(environment)
    helm.install(values)


def _written(environment: Environment) -> tuple[Path, Path]:
    """Write both files; return their paths."""
    objects = manifests.render(environment)
    here = manifests.folder(environment)
    paths = here / "manifests.yaml", here / "airflow-values.yaml"
    paths[0].write_text(objects)
    paths[1].write_text(yaml.safe_dump(airflow_values.values(environment), sort_keys=False, width=120))
    return paths


def _wait_for_migration(stages: tuple[str, ...]) -> None:
    """Wait until the schema migration is complete.

    Raises:
        ToolError: it did not complete in time. Its pods and its log have been printed.
    """
    timeout = f"--timeout={MIGRATION_SECONDS}s"
    if answer(*stages, "wait", "--for=condition=complete", MIGRATION, timeout).returncode:
        print_lines(answer(*stages, "get", "pods").stdout)
        print_lines(answer(*stages, "logs", MIGRATION, "--tail=20").stdout)
        raise ToolError(
            "The schema migration did not complete. See the lines above, and check the Secret wakee-secrets."
        )


def _use(environment: Environment) -> None:
    os.environ["AIRFLOW_NAMESPACE"] = environment.namespaces.airflow
    say(f"Airflow in the namespace {release.namespace()}")


def _namespaces(environment: Environment) -> str:
    return f"{environment.namespaces.stages} and {environment.namespaces.airflow}"
