"""Run the suites of tests and checks to the end, then report what passed and what failed."""

import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field

from wakee_tools.cluster import kind, lifecycle
from wakee_tools.cluster.choice import docker_answers
from wakee_tools.deploy import installation
from wakee_tools.develop import junit
from wakee_tools.develop.environments import make_environments
from wakee_tools.develop.lint import lint
from wakee_tools.images.build import build_only
from wakee_tools.packages import install_packages
from wakee_tools.paths import REPO, program
from wakee_tools.shell import ToolError, status, timed

REPORTS = REPO / "reports"
QUICK_FAILURES = "bucket or scheduler"
HELM_LIFECYCLE = "tests/cluster/test_helm_lifecycle.py"
CUDA_IMAGE = "tests/unit/train/test_cuda_image.py"
HUB_CLIENT = "tests/unit/common/test_hub.py"
"""Tests of wakee_common that need a library which only some images have."""


@dataclass
class Steps:
    """Runs the steps of the chosen suites, and remembers which failed."""

    failed: list[str] = field(default_factory=list)

    def check(self, name: str, passes: Callable[[], bool]) -> None:
        """Run a step and record its result."""
        with timed(name):
            if not passes():
                self.failed.append(name)

    def pytest(self, name: str, environment: str, report: str, *arguments: str, **variables: str) -> None:
        """Run tests in a virtual environment, with a JUnit file in reports/."""
        options = ("-q", "--tb=short", "--junitxml", f"reports/{report}.xml")
        command = (program(environment, "pytest"), *options, *arguments)
        self.check(name, lambda: status(*command, cwd=REPO, env=os.environ | variables) == 0)

    def parallel(self, name: str, environment: str, report: str, *arguments: str, **variables: str) -> None:
        """Run tests in parallel processes, by file. Libraries are limited to one thread per process."""
        spread = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadfile")
        self.pytest(name, environment, report, *arguments, *spread, OMP_NUM_THREADS="1", **variables)


def run_suites(names: list[str]) -> None:
    """Run suites one after the other.

    Raises:
        ToolError: a step failed, or a prerequisite of a suite is missing.
    """
    if REPORTS.exists():
        shutil.rmtree(REPORTS)
    REPORTS.mkdir()
    steps = Steps()
    try:
        for name in names:
            SUITES[name](steps)
    finally:
        junit.print_summary(REPORTS)
    if steps.failed:
        raise ToolError(f"failed: {' '.join(steps.failed)}")


def _lint(steps: Steps) -> None:
    steps.check("lint", lint)


def _unit(steps: Steps) -> None:
    install_packages("postgresql", "pgbouncer", "prometheus-pushgateway", "faketime", "openssl", "socat", "procps")
    make_environments("drift", "health", "sandbox", "train")
    steps.parallel("unit: operators' tools", "dev", "unit-tools", "tests/unit/tools")
    steps.parallel(
        "unit: common and drift", "drift", "unit-drift", "tests/unit/common", "tests/unit/drift", "--ignore", HUB_CLIENT
    )
    steps.parallel("unit: sandbox", "sandbox", "unit-sandbox", "tests/unit/sandbox")
    steps.parallel("unit: health", "health", "unit-health", "tests/unit/health", HUB_CLIENT)
    steps.parallel("unit: train", "train", "unit-train", "tests/unit/train", "--ignore", CUDA_IMAGE)


def _dags(steps: Steps) -> None:
    install_packages("openssl")
    make_environments("airflow", "sandbox")  # the sandbox's mail server receives the alerts
    with tempfile.TemporaryDirectory() as home:
        variables = {"AIRFLOW_HOME": home, "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        steps.parallel("dags", "airflow", "dags", "tests/dags", **variables)


def _manifests(steps: Steps) -> None:
    make_environments("drift", "airflow")
    steps.pytest("manifests and docs", "dev", "manifests", "tests/manifests", "tests/docs")


def _cluster(steps: Steps) -> None:
    """Tests on a cluster. They take minutes each, so each one is printed."""
    installation.up()
    real_pods = ("tests/cluster", "-vv", "--durations", "10", "--ignore", HELM_LIFECYCLE)
    steps.pytest("cluster: real pods", "dev", "cluster", *real_pods)
    quick = [f"tests/failure_modes/test_{name}.py" for name in ("configuration", "drift_detection")]
    steps.pytest("failure modes: two of them", "dev", "failures-quick", "-vv", "-k", QUICK_FAILURES, *quick)
    install_packages("chromium")
    steps.pytest("browser", "dev", "browser", "tests/browser", "-vv")


def _chart(steps: Steps) -> None:
    """Test upgrade, rollback and removal of Airflow by its chart."""
    installation.up()
    steps.pytest("Airflow's life under the chart", "dev", "helm", HELM_LIFECYCLE, "-vv")


def _staging(steps: Steps) -> None:
    """Test a staging environment beside the installation: a second Airflow, which takes another 2 GB of memory."""
    installation.up()
    steps.pytest("staging environment", "dev", "staging", "tests/environments", "-vv")


def _nodes(steps: Steps) -> None:
    """Test several nodes: drained, lost, and with GPUs. A kind cluster with another number of nodes is replaced."""
    os.environ.setdefault("KIND_NODES", "3")
    if kind.nodes() and len(kind.nodes()) != kind.number_of_nodes():
        lifecycle.down()
    installation.up()
    steps.pytest("several nodes", "dev", "nodes", "tests/nodes", "-vv")


def _debian(steps: Steps) -> None:
    """Test the cluster that is built from Debian's packages: up, a drift run, a health check, down without leftovers.

    The kind cluster uses the same ports, so it is removed first. Its images are reused.
    """
    lifecycle.down()
    os.environ["WAKEE_CLUSTER"] = "debian"
    installation.up()
    steps.pytest("Debian-built cluster", "dev", "debian", "tests/debian", "-vv")
    lifecycle.down()
    steps.pytest("Debian-built cluster: nothing is left", "dev", "debian-left", "tests/debian_left")


def _cuda_image(steps: Steps) -> None:
    """Test the image of the CUDA variant, run by Docker without a GPU."""
    if not docker_answers():
        raise ToolError("Cannot run the CUDA image: no Docker engine answers. Start Docker.")
    install_packages("postgresql")
    make_environments("sandbox", "train")
    os.environ["TORCH_VARIANT"] = "cuda"
    image = build_only("train")
    steps.pytest("CUDA image without a GPU", "train", "cuda-image", "-vv", CUDA_IMAGE, WAKEE_CUDA_IMAGE=image)


def _failures(steps: Steps) -> None:
    installation.up()
    steps.pytest("failure modes: real pods", "dev", "failures", "tests/failure_modes", "-vv")


SUITES: dict[str, Callable[[Steps], None]] = {
    "lint": _lint,
    "unit": _unit,
    "dags": _dags,
    "manifests": _manifests,
    "cluster": _cluster,
    "chart": _chart,
    "staging": _staging,
    "nodes": _nodes,
    "debian": _debian,
    "cuda-image": _cuda_image,
    "failures": _failures,
}
