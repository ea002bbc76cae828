"""The command `wakee`, assembled from its subpackages."""

import signal
import sys
from typing import Never

import typer

from wakee_tools import process_environment
from wakee_tools.airflow import cli as airflow
from wakee_tools.cluster import cli as cluster
from wakee_tools.deploy import cli as deploy
from wakee_tools.develop import cli as develop
from wakee_tools.environments import cli as environments
from wakee_tools.images import cli as images
from wakee_tools.shell import ToolError, print_error

OPERATORS = {"demo", "trigger", "pods", "logs", "doctor", "ui", "helm", "environment", "ready"}
"""Commands that use the cluster in CLUSTER. All others use the local one."""
SET_UP, WORK, PRODUCTION, DEVELOP = "Set up", "Work with it", "Production", "Develop"

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)


@app.callback()
def wakee(context: typer.Context) -> None:
    """Run Airflow, sandbox and pipelines on a local cluster, with commands for operators and developers.

    To start: `wakee up` creates cluster, images, sandbox and Airflow (or one by one: `cluster up`, `images`,
    `deploy`). `wakee demo` shows the pipeline. `seed` and `trigger` start your own runs. `logs`, `pods` and `doctor`
    show what is wrong. `wakee cluster down` removes everything.

    Operators' commands also work on another cluster: CLUSTER is its kubeconfig, and AIRFLOW_URL, AIRFLOW_USER and
    AIRFLOW_PASSWORD are those of its Airflow.
    """
    process_environment.prepare(operators=context.invoked_subcommand in OPERATORS)


app.command(rich_help_panel=SET_UP)(deploy.up)
app.add_typer(cluster.app, name="cluster", rich_help_panel=SET_UP)
app.command(rich_help_panel=SET_UP)(images.images)
app.command(rich_help_panel=SET_UP)(deploy.deploy)
app.command(rich_help_panel=SET_UP)(deploy.ready)

app.command(rich_help_panel=WORK)(airflow.demo)
app.command(rich_help_panel=WORK, context_settings={"allow_extra_args": True, "ignore_unknown_options": True})(
    airflow.seed
)
app.command(rich_help_panel=WORK)(airflow.trigger)
app.command(rich_help_panel=WORK)(airflow.pods)
app.command(rich_help_panel=WORK)(airflow.logs)
app.command(rich_help_panel=WORK)(airflow.doctor)
app.command(rich_help_panel=WORK)(airflow.ui)

app.add_typer(environments.app, name="environment", rich_help_panel=PRODUCTION)
app.add_typer(deploy.app, name="helm", rich_help_panel=PRODUCTION)
app.command(rich_help_panel=PRODUCTION)(develop.sbom)
app.command(rich_help_panel=PRODUCTION)(develop.audit)

app.command(rich_help_panel=DEVELOP)(develop.test)
app.command(rich_help_panel=DEVELOP)(develop.lint)
app.command(rich_help_panel=DEVELOP)(develop.lock)
app.command(rich_help_panel=DEVELOP)(develop.bench)
app.command(rich_help_panel=DEVELOP)(develop.configuration)


def main() -> None:
    """Run a command. A ToolError is printed as one red line, with exit code 1."""
    # SIGTERM (`timeout`, a closed session) has the effect of Ctrl-C: child processes end, too.
    signal.signal(signal.SIGTERM, _end)
    try:
        app()
    except ToolError as error:
        print_error(error)
        sys.exit(1)


def _end(number: int, _frame: object) -> Never:
    sys.exit(128 + number)
