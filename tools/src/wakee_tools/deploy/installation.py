"""The installation on the local cluster: Secrets, the sandbox, the schema migration, then Airflow."""

from wakee_tools.airflow.client import Airflow
from wakee_tools.cluster import lifecycle
from wakee_tools.cluster.choice import AirflowInstall, airflow_install, cluster_kind
from wakee_tools.cluster.machine import report_machine
from wakee_tools.deploy import helm, kustomization
from wakee_tools.deploy.chart import find_chart
from wakee_tools.deploy.rollout import apply, replace_changed_jobs, wait_for, wave
from wakee_tools.deploy.secrets import ensure_airflow_secrets
from wakee_tools.images.build import INGREDIENTS
from wakee_tools.images.delivery import deliver, forget_earlier
from wakee_tools.jobs import run_together
from wakee_tools.paths import REPO, program
from wakee_tools.shell import ToolError, answer, console, output, say, succeeds, timed

SERVICES = ("hub", "mlflow", "api", "sourcing", "mail", "fault-server", "pushgateway")
COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
DAG_SECONDS = 120


def up() -> None:
    """Create cluster, images, sandbox and Airflow, and wait until they are ready.

    Images and cluster, which take minutes the first time, are built concurrently. If one of the two fails, the other
    is stopped.

    Raises:
        ToolError: a prerequisite is missing, or a step failed.
    """
    _check_first()
    wakee = program("dev", "wakee")
    run_together([wakee, "images", "--early"], [wakee, "cluster", "up"])
    with timed("images"):
        deliver(list(INGREDIENTS))
    deploy()


def _check_first() -> None:
    """Check the prerequisites that would otherwise fail after minutes of work."""
    if airflow_install() is AirflowInstall.CHART:
        find_chart()
    if not report_machine(cluster_kind()):
        raise ToolError("This machine is too small for the cluster. See the lines above for remedies.")
    lifecycle.prepare_build()


def deploy() -> None:
    """Apply everything to the local cluster, wave by wave, and wait until it is ready."""
    install = airflow_install()
    if install is AirflowInstall.CHART:
        find_chart()  # fail early
    ensure_airflow_secrets()
    kustomization.write(install)
    with timed("sandbox and databases"):
        _deploy_data()
    with timed("schema migration"):
        _migrate(install)
    with timed("Airflow"):
        _deploy_airflow(install)
    forget_earlier()


def _deploy_data() -> None:
    apply(*wave("!wakee.io/wave"))
    wait_for("wakee", "statefulset/neondb", "statefulset/r2")
    wait_for("airflow", "statefulset/airflow-database")
    wait_for("wakee", *(f"deployment/{name}" for name in SERVICES))


def _migrate(install: AirflowInstall) -> None:
    migration, jobs = wave("wakee.io/wave=1"), ["wakee/wakee-db-upgrade"]
    if install is AirflowInstall.MANIFESTS:
        jobs.append("airflow/airflow-run-airflow-migrations")
    replace_changed_jobs(migration, *jobs)
    apply(*migration)
    for job in jobs:
        namespace, _, name = job.partition("/")
        wait_for(namespace, f"job/{name}")


def _deploy_airflow(install: AirflowInstall) -> None:
    _remove_other(install)
    if install is AirflowInstall.CHART:
        helm.install(helm.VALUES_KIND)
    else:
        apply(*wave("wakee.io/wave=2"))
        wait_for("airflow", *(f"deployment/airflow-{name}" for name in COMPONENTS))
    wait_for_dags(DAG_SECONDS)


def _remove_other(install: AirflowInstall) -> None:
    """Remove an installation of the other kind. Its objects have the same names, and Helm does not adopt them."""
    if install is AirflowInstall.CHART:
        plain = ("kubectl", "-n", "airflow", "get", "deployments", "-l", "wakee.io/wave=2", "-o", "name")
        if answer(*plain).stdout:
            say("removing the Airflow of the plain manifests, without its database")
            output("kubectl", "delete", "-k", str(REPO / "k8s/airflow"), "--ignore-not-found")
    elif succeeds("helm", "status", "airflow", "--namespace", "airflow"):
        say("removing the Airflow of the chart, without its database")
        output("helm", "uninstall", "airflow", "--namespace", "airflow", "--wait")


def wait_for_dags(seconds: float) -> None:
    """Wait until Airflow has parsed every DAG file.

    Raises:
        ToolError: a file cannot be imported, or a DAG is missing after the timeout.
    """
    expected = {path.stem for path in (REPO / "dags").glob("*.py")}
    console.print("DAGs: " + ", ".join(sorted(Airflow().wait_for_dags(expected, seconds))))
