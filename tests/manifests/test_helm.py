"""helm/*.yaml and `wakee helm`, as far as they can be checked without the chart; with it (CHART), what it renders."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from support.restricted import loose_ends, violations
from wakee_tools.deploy.helm_values import values

REPO = Path(__file__).parents[2]
WAKEE = str(Path(sys.executable).with_name("wakee"))
VERSION = "1.22.0"
OVERLAYS = ["values-kind.yaml", "values-production.yaml"]
POD_KINDS = {"Deployment", "StatefulSet", "Job"}
MAKES_PODS = {"airflow-scheduler", "airflow-triggerer"}


def merged(overlay):
    return values(overlay)


def helm(command, **variables):
    environment = os.environ | {"CHART_REPO": "", "CLUSTER": "/nonexistent"} | variables
    return subprocess.run([WAKEE, "helm", command], capture_output=True, text=True, env=environment)


def test_values_match_the_schema_of_the_chart():
    schema = os.environ.get("CHART_SCHEMA", "")
    if not Path(schema).is_file():
        pytest.skip("set CHART_SCHEMA to values.schema.json of the airflow chart 1.22.0 to check helm/ against it")
    done = subprocess.run([WAKEE, "helm", "check"], capture_output=True, text=True)
    print(done.stdout)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_component_has_resources_and_a_disruption_budget(overlay):
    values = merged(overlay)
    components = ["apiServer", "scheduler", "dagProcessor", "triggerer"]
    for name in [*components, "migrateDatabaseJob", "databaseCleanup", "statsd"]:
        assert {"cpu", "memory"} <= set(values[name]["resources"]["requests"]), name
        assert "memory" in values[name]["resources"]["limits"], name
    for name in components:
        assert values[name]["podDisruptionBudget"]["enabled"], name
        assert values[name]["livenessProbe"]["timeoutSeconds"] >= 10, name


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_only_those_that_make_pods_get_a_token(overlay):
    values = merged(overlay)
    for name, value in values.items():
        account = value.get("serviceAccount") if isinstance(value, dict) else None
        if account and name in {"scheduler", "triggerer"}:
            assert account == {"create": False, "name": "airflow"}
        elif account:
            assert account == {"automountServiceAccountToken": False}, name
    assert values["rbac"] == {"create": False}
    assert values["allowPodLaunching"] is False


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_airflow_knows_every_option(overlay):
    subprocess.run([sys.executable, REPO / "tools/bootstrap.py", "airflow"], check=True, capture_output=True)
    (path,) = (REPO / ".venvs/airflow/lib").glob("python3*/site-packages/airflow/config_templates/config.yml")
    known = yaml.safe_load(path.read_text())
    options = [(section, option) for section, found in merged(overlay)["config"].items() for option in found]
    assert ("logging", "remote_logging") in options
    assert [pair for pair in options if pair[1] not in known.get(pair[0], {}).get("options", {})] == []


def test_production_names_images_by_digest():
    assert merged("values-production.yaml")["images"]["airflow"]["digest"].startswith("sha256:")


def test_without_the_chart_it_says_what_to_do():
    done = helm("install", CHART="/nonexistent/airflow-1.22.0.tgz")
    assert done.returncode == 1
    assert "Cannot read the airflow chart /nonexistent/airflow-1.22.0.tgz" in done.stderr
    assert "Set CHART" in done.stderr


@pytest.fixture
def stand_in(tmp_path):
    """A function: a chart of some version that renders the values it was given."""

    def make(version):
        (tmp_path / "templates").mkdir()
        (tmp_path / "Chart.yaml").write_text(f"apiVersion: v2\nname: airflow\nversion: {version}\n")
        template = (
            "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: x }\ndata:\n  values: {{ toYaml .Values | quote }}\n"
        )
        (tmp_path / "templates/values.yaml").write_text(template)
        return str(tmp_path)

    return make


def test_another_version_is_refused(stand_in):
    done = helm("render", CHART=stand_in("1.18.0"))
    assert done.returncode == 1
    assert f"not version {VERSION}" in done.stderr


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_helm_reads_the_values_as_we_do(stand_in, overlay):
    done = helm("render", CHART=stand_in(VERSION), VALUES=str(REPO / "helm" / overlay))
    assert done.returncode == 0, done.stderr
    assert yaml.safe_load(yaml.safe_load(done.stdout)["data"]["values"]) == merged(overlay)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_chart_renders_restricted_pods(overlay):
    if not os.environ.get("CHART"):
        pytest.skip("set CHART to the airflow chart 1.22.0 (.tgz, folder or name) to check what it renders")
    done = helm("render", VALUES=str(REPO / "helm" / overlay))
    assert done.returncode == 0, done.stderr
    objects = [o for o in yaml.safe_load_all(done.stdout) if o and o["kind"] in POD_KINDS]
    specs = {o["metadata"]["name"]: o["spec"]["template"]["spec"] for o in objects}
    assert specs
    assert {name: violations(spec) for name, spec in specs.items() if violations(spec)} == {}
    unbound = {name: [what for what in loose_ends(spec) if "token" not in what] for name, spec in specs.items()}
    assert {name: found for name, found in unbound.items() if found and name not in MAKES_PODS} == {}
