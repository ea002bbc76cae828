"""Airflow's life under the chart: upgrades of settings and image, a rollback, an upgrade that fails, removal and a new
installation. Nothing is lost, and a DAG run in the middle goes on.
"""

import os
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path

import pytest
import yaml

from support.cluster import REPO
from support.images import image_of
from support.pods import running_pod
from support.waiting import wait_for
from wakee_tools.cluster import registry
from wakee_tools.deploy.helm_values import merged

pytestmark = pytest.mark.usefixtures("on_kind")

WAKEE = str(Path(sys.executable).with_name("wakee"))
DAG = "drift_detection_daily"
KIND = yaml.safe_load((REPO / "helm/values-kind.yaml").read_text())
FIRST_DAY = date(2012, 3, 30)


@pytest.fixture
def helm(tmp_path):
    """A function: `wakee helm` with the values of kind and others on top; returns its exit code and what it printed."""

    def run(command, tag="", values=None, **variables):
        tag = tag or image_of("airflow").rpartition(":")[2]
        image = {"images": {"airflow": {"repository": "localhost/wakee/airflow", "tag": tag}}}
        path = tmp_path / "values.yaml"
        path.write_text(yaml.safe_dump(merged(merged(KIND, image), values or {})))
        environment = os.environ | {"VALUES": str(path), "CLUSTER": "", **variables}
        done = subprocess.run([WAKEE, "helm", command], capture_output=True, text=True, env=environment)
        return done.returncode, done.stdout + done.stderr

    yield run
    assert run("install")[0] == 0


@pytest.fixture
def same_image_again():
    """The tag of a second image of Airflow, with the same content."""
    image, again = image_of("airflow"), "localhost/wakee/airflow:again"
    subprocess.run(["docker", "tag", image, again], check=True)
    registry.push(again)
    yield "again"
    subprocess.run(["docker", "rmi", again], check=True, capture_output=True)


@pytest.fixture
def drift_run(airflow, seed, kubernetes):
    """A function: a drift run of a day of its own, once its second stage's pod runs."""
    days = iter(FIRST_DAY + timedelta(days=366 * number) for number in range(10))

    def start():
        day = next(days)
        seed("--rows", "60", "--days", "7", "--until", f"{day + timedelta(days=1)}T00:00:00", "--labels-only")
        run_id = airflow.trigger(DAG, {"until": str(day), "threshold": 3})
        wait_for(lambda: running_pod(kubernetes, run_id, "load_predictions"), 240, "a running load_predictions pod")
        return run_id

    return start


def setting(name):
    """A setting as the scheduler has it."""
    command = ["kubectl", "exec", "-n", "airflow", "deploy/airflow-scheduler", "-c", "scheduler", "--"]
    code = f"from airflow.configuration import conf; print(conf.get('core', '{name}'))"
    done = subprocess.run([*command, "python3", "-c", code], check=True, capture_output=True, text=True, timeout=120)
    return done.stdout.split()[-1]


def running_image():
    path = "jsonpath={.spec.template.spec.containers[0].image}"
    command = ["kubectl", "get", "deployment/airflow-scheduler", "-n", "airflow", "-o", path]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def succeeded(airflow, run_id):
    airflow.wait(DAG, run_id, 600)
    return airflow.run(DAG, run_id)["state"] == "success"


@pytest.mark.usefixtures("retraining_paused")
def test_an_upgrade_and_a_rollback_in_the_middle_of_runs(airflow, helm, drift_run, same_image_again):
    before, during_upgrade = running_image(), drift_run()
    code, output = helm("install", same_image_again, {"config": {"core": {"parallelism": 6}}})
    assert code == 0, output
    assert (running_image(), setting("parallelism")) == ("localhost/wakee/airflow:again", "6")
    assert succeeded(airflow, during_upgrade)

    during_rollback = drift_run()
    code, output = helm("rollback")
    assert code == 0, output
    assert (running_image(), setting("parallelism")) == (before, "8")
    assert succeeded(airflow, during_rollback)
    assert {during_upgrade, during_rollback} <= {run["dag_run_id"] for run in airflow.runs(DAG)}


def test_an_image_that_does_not_start_changes_nothing(helm):
    before = running_image()

    code, output = helm("install", "missing")

    assert code == 1
    assert "image localhost/wakee/airflow:missing does not start" in output
    assert running_image() == before


@pytest.mark.usefixtures("retraining_paused")
def test_a_failing_upgrade_is_put_back_and_says_why(airflow, helm, drift_run):
    run_id = drift_run()

    code, output = helm("install", values={"scheduler": {"nodeSelector": {"no": "node"}}}, HELM_TIMEOUT="60s")

    assert code == 1
    assert "didn't match Pod's node affinity/selector" in output
    assert "rolled back" in output
    assert succeeded(airflow, run_id)


@pytest.mark.usefixtures("retraining_paused")
def test_removed_and_installed_again_it_knows_its_runs(airflow, helm, drift_run):
    before = {run["dag_run_id"] for run in airflow.runs(DAG)}
    assert helm("uninstall")[0] == 0
    code, output = helm("install")
    assert code == 0, output
    airflow.wait_for_dags({DAG}, 120)
    assert before <= {run["dag_run_id"] for run in airflow.runs(DAG)}
    assert succeeded(airflow, drift_run())
