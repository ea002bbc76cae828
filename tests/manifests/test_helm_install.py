"""`wakee helm` against a helm and a kubectl that write down how they were called: no cluster, no chart."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
WAKEE = str(Path(sys.executable).with_name("wakee"))
SECRETS = {
    "airflow-metadata", "airflow-fernet-key", "airflow-api-secret-key", "airflow-jwt-secret", "airflow-users",
    "airflow-connections",
}  # fmt: skip
HELM = """#!/bin/sh
echo "$@" >>{calls}
[ "$1" != pull ] || [ -z "$HELM_FAILS" ] || {{ echo "no such host" >&2; exit 1; }}
[ "$1" != show ] || printf 'name: airflow\\nversion: 1.22.0\\n'
[ "$1" != history ] || echo '[]'
[ "$1" != template ] || echo 'kind: List'
"""
KUBECTL = """#!/bin/sh
case "$*" in
    "version -o json") cat {version} ;;
    *"get secrets"*) echo "$SECRET_VERSIONS" ;;
    *"get secret"*) grep -qx "$5" {secrets} ;;
    *"get deployment"*) printf "${{RUNNING-another}}" ;;
    *"get pod "*) echo "${{TRIAL:-Succeeded}}" ;;
    *"get configmap"*) grep . {settings} ;;
    "config current-context") echo production ;;
    *diff*) cat >/dev/null; echo changed; exit 1 ;;
esac
"""


@pytest.fixture
def cluster(tmp_path):
    """A function: run `wakee helm` on a cluster with this minor version, these Secrets and this ConfigMap."""
    tools = tmp_path / "cache/wakee-airflow/tools"
    tools.mkdir(parents=True)
    files = {name: tmp_path / name for name in ("calls", "version", "secrets", "settings")}
    for name, text in (("helm", HELM), ("kubectl", KUBECTL)):
        (tools / name).write_text(text.format(**files))
        (tools / name).chmod(0o755)

    def run(command, minor="34", secrets=SECRETS, settings="{}", **variables):
        files["calls"].write_text("")
        files["secrets"].write_text("\n".join(secrets) + "\n")
        files["settings"].write_text(settings)
        versions = {"clientVersion": {"minor": "34"}, "serverVersion": {"major": "1", "minor": minor}}
        files["version"].write_text(json.dumps(versions, indent=2))
        folders = {"XDG_CACHE_HOME": str(tmp_path / "cache"), "XDG_STATE_HOME": str(tmp_path / "state")}
        chart = {"CHART": "apache-airflow/airflow", "CHART_REPO": "", "VALUES": ""}
        environment = os.environ | folders | chart | {"CLUSTER": "/some/kubeconfig"}
        done = subprocess.run([WAKEE, "helm", command], capture_output=True, text=True, env=environment | variables)
        return done, files["calls"].read_text().splitlines()

    return run


def test_install_is_an_upgrade_with_the_production_values(cluster):
    done, calls = cluster("install")
    assert done.returncode == 0, done.stderr
    assert "cluster production" in done.stderr
    assert calls[-1].startswith("upgrade --install airflow apache-airflow/airflow --version 1.22.0 --namespace airflow")
    values = [word for word in calls[-1].split() if word.endswith(".yaml")]
    assert values == [f"{REPO}/helm/values.yaml", f"{REPO}/helm/values-production.yaml"]
    assert "--wait" in calls[-1]
    assert "--server-side=false" not in calls[-1]


def test_old_api_servers_get_client_side_apply(cluster):
    _, calls = cluster("install", minor="20")
    assert "--server-side=false" in calls[-1]


def test_a_missing_secret_is_named_before_anything_is_installed(cluster):
    done, calls = cluster("install", secrets=SECRETS - {"airflow-users"})
    assert done.returncode == 1
    assert "Secrets are missing in namespace airflow: airflow-users" in done.stderr
    assert not [call for call in calls if call.startswith("upgrade")]


def test_missing_settings_are_named_before_anything_is_installed(cluster):
    done, calls = cluster("install", settings="")
    assert done.returncode == 1
    assert "The ConfigMap wakee-images does not exist in namespace airflow" in done.stderr
    assert not [call for call in calls if call.startswith("upgrade")]


def test_a_chart_that_is_not_the_published_one_is_refused(cluster, tmp_path):
    (tmp_path / "airflow-1.22.0.tgz").write_text("something else")
    done, calls = cluster("install", CHART=str(tmp_path / "airflow-1.22.0.tgz"))
    assert done.returncode == 1
    assert "is not the airflow chart 1.22.0 as published" in done.stderr
    assert calls == []


def test_a_chart_that_cannot_be_downloaded_is_one_line_with_remedies(cluster):
    done, _ = cluster("install", CHART="", HELM_FAILS="1")
    assert done.returncode == 1
    assert "Cannot get the airflow chart 1.22.0: no such host" in done.stderr
    assert "AIRFLOW_INSTALL=manifests" in done.stderr


def test_changed_settings_start_new_pods(cluster):
    annotations = []
    for settings in ('{"WAKEE_GPU_COUNT": "0"}', '{"WAKEE_GPU_COUNT": "1"}', '{"WAKEE_GPU_COUNT": "1"}'):
        _, calls = cluster("install", settings=settings)
        annotations += [word for word in calls[-1].split() if word.startswith("airflowPodAnnotations")]
    assert annotations[0] != annotations[1] == annotations[2]


def test_changed_secrets_start_new_pods(cluster):
    annotations = []
    for versions in ("1 2 3 4 5 6", "1 2 3 4 5 7"):
        _, calls = cluster("install", SECRET_VERSIONS=versions)
        annotations += [word for word in calls[-1].split() if word.startswith("airflowPodAnnotations")]
    assert annotations[0] != annotations[1]


def test_an_image_that_does_not_start_changes_nothing(cluster):
    done, calls = cluster("install", TRIAL="Failed")
    assert done.returncode == 1
    assert "does not start: Failed. Correct images.airflow. Airflow was not changed." in done.stderr
    assert not [call for call in calls if call.startswith("upgrade")]


def test_an_image_is_not_tried_where_nothing_runs(cluster):
    done, _ = cluster("install", RUNNING="", TRIAL="Failed")
    assert done.returncode == 0, done.stderr


def test_the_repository_can_be_named_instead(cluster):
    _, calls = cluster("install", CHART_REPO="https://charts.example.org")
    assert "upgrade --install airflow airflow --repo https://charts.example.org --version 1.22.0" in calls[-1]


def test_a_difference_is_no_error(cluster):
    done, _ = cluster("diff")
    assert (done.returncode, done.stdout) == (0, "changed\n")


def test_uninstall_says_what_stays(cluster):
    done, calls = cluster("uninstall")
    assert done.returncode == 0, done.stderr
    assert "not removed: Secrets, the database and the objects of k8s/" in done.stderr
    assert calls == ["uninstall airflow --namespace airflow --wait"]
