"""Kubernetes objects and Helm values of an environment."""

import pytest
import yaml

from wakee_tools.environments import airflow_values, manifests
from wakee_tools.environments.settings import load
from wakee_tools.paths import REPO
from wakee_tools.shell import ToolError

STAGING = load(REPO / "environments/staging.yaml")
DIGEST = f"sha256:{'0' * 64}"


@pytest.fixture(scope="module")
def objects():
    return [each for each in yaml.safe_load_all(manifests.render(STAGING)) if each]


def namespaces_in(part):
    """Every namespace that an object names: its own, those of subjects, those that policies select."""
    if isinstance(part, list):
        return {name for each in part for name in namespaces_in(each)}
    if not isinstance(part, dict):
        return set()
    own = {value for key, value in part.items() if key in manifests.NAMESPACE_KEYS and isinstance(value, str)}
    return own | {name for value in part.values() for name in namespaces_in(value)}


def test_every_object_is_in_a_namespace_of_the_environment(objects):
    assert namespaces_in(objects) == {"wakee-staging", "airflow-staging", "kube-system"}
    made = {each["metadata"]["name"] for each in objects if each["kind"] == "Namespace"}
    assert made == {"wakee-staging", "airflow-staging"}


def test_stages_and_airflow_get_their_variables(objects):
    maps = {each["metadata"]["name"]: each["data"] for each in objects if each["kind"] == "ConfigMap"}
    assert maps["wakee-config"] == STAGING.stages
    assert maps["wakee-images"]["WAKEE_NAMESPACE"] == "wakee-staging"
    assert maps["wakee-images"]["WAKEE_XCOM_IMAGE"] == STAGING.images.drift
    assert "WAKEE_GPU_COUNT" not in maps["wakee-images"]


def test_the_namespaces_say_whose_they_are_and_prometheus_scrapes_them():
    images = STAGING.images.model_copy(update={"pushgateway": f"registry.example.org/pushgateway@{DIGEST}"})
    monitored = STAGING.model_copy(update={"name": "monitored", "monitoring": True, "images": images})
    found = [each for each in yaml.safe_load_all(manifests.render(monitored)) if each]
    labels = [each["metadata"]["labels"][manifests.LABEL] for each in found if each["kind"] == "Namespace"]
    (scraped,) = [each["data"]["scrape.yaml"] for each in found if each["metadata"]["name"] == "wakee-prometheus"]
    assert labels == ["monitored", "monitored"]
    assert "airflow-statsd.airflow-staging:9102" in scraped
    assert "pushgateway.wakee-staging:9091" in scraped


def test_the_migration_runs_in_the_image_of_the_file(objects):
    (job,) = [each for each in objects if each["kind"] == "Job"]
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == STAGING.images.drift


def test_airflow_starts_pods_in_the_namespace_of_the_stages():
    (connection,) = [
        each for each in airflow_values.values(STAGING)["env"] if each["name"] == airflow_values.CONNECTION
    ]
    assert '"namespace": "wakee-staging"' in connection["value"]
    assert "$(WAKEE_XCOM_IMAGE)" in connection["value"]


def test_values_of_the_file_are_on_top_of_the_preset():
    values = airflow_values.values(STAGING)
    assert values["images"]["airflow"] == {
        "repository": "registry.example.org/wakee/airflow", "tag": None, "digest": DIGEST,
    }  # fmt: skip
    assert values["pgbouncer"]["enabled"] is False
    assert values["scheduler"]["replicas"] == 1
    assert values["config"]["logging"]["remote_base_log_folder"] == STAGING.airflow.logs


def test_a_pull_secret_reaches_stages_and_airflow():
    images = STAGING.images.model_copy(update={"pull_secret": "registry"})
    environment = STAGING.model_copy(update={"name": "pull-secret", "images": images})
    rendered = [each for each in yaml.safe_load_all(manifests.render(environment)) if each]
    (account,) = [
        each for each in rendered if each["kind"] == "ServiceAccount" and each["metadata"]["name"] == "wakee-stage"
    ]
    assert account["imagePullSecrets"] == [{"name": "registry"}]
    assert airflow_values.values(environment)["imagePullSecrets"] == [{"name": "registry"}]


def test_more_objects_are_appended_unchanged(tmp_path):
    (tmp_path / "more.yaml").write_text("kind: ConfigMap\nmetadata: {name: mine, namespace: wakee}\n")
    environment = STAGING.model_copy(update={"name": "more", "resources": ["more.yaml"], "folder": tmp_path})
    assert list(yaml.safe_load_all(manifests.render(environment)))[-1]["metadata"]["namespace"] == "wakee"
    with pytest.raises(ToolError, match="does not exist"):
        manifests.render(environment.model_copy(update={"resources": ["none.yaml"]}))


def test_a_preset_that_does_not_exist():
    airflow = STAGING.airflow.model_copy(update={"preset": "values-x.yaml"})
    with pytest.raises(ToolError, match=r"Use one of values-kind\.yaml, values-production\.yaml"):
        airflow_values.values(STAGING.model_copy(update={"airflow": airflow}))
