"""What the manifests promise: valid for current Kubernetes, restricted pods, every image by content tag."""

import json
from pathlib import Path

import kubernetes_validate
import pytest
import yaml

from support.restricted import loose_ends, violations

REPO = Path(__file__).parents[2]
NEWER_KUBERNETES = "1.34"
NEEDS_A_TOKEN = {"airflow-scheduler", "airflow-triggerer"}
"""These create and watch pods."""


@pytest.fixture(scope="module")
def pods(objects):
    return {o["metadata"]["name"]: o["spec"]["template"]["spec"] for o in objects if "template" in o.get("spec", {})}


def test_valid_on_current_kubernetes(objects):
    for document in objects:
        kubernetes_validate.validate(document, NEWER_KUBERNETES, strict=True)


def test_pods_meet_the_restricted_profile(pods):
    assert pods
    assert {name: violations(spec) for name, spec in pods.items() if violations(spec)} == {}


def test_pods_are_read_only_bounded_and_without_a_token(pods):
    loose = {name: loose_ends(spec) for name, spec in pods.items() if name not in NEEDS_A_TOKEN}
    assert {name: found for name, found in loose.items() if found} == {}


def test_airflow_may_only_manage_pods_in_wakee(objects):
    roles = [o for o in objects if o["kind"] in {"Role", "ClusterRole"}]
    assert [(r["kind"], r["metadata"]["namespace"]) for r in roles] == [("Role", "wakee")]
    resources = {name for rule in roles[0]["rules"] for name in rule["resources"]}
    assert resources == {"pods", "pods/log", "pods/exec", "events"}


def test_config_holds_no_secret(objects):
    configs = json.dumps([o for o in objects if o["kind"] == "ConfigMap"])
    lines = (REPO / "k8s/overlays/kind/secrets.env").read_text().splitlines()
    secrets = [line.split("=", 1)[1] for line in lines if line and not line.startswith("#")]
    assert secrets
    assert not [secret for secret in secrets if secret in configs]


OF_THE_LOCAL_CLUSTER = {
    # The chart sets these itself.
    "AIRFLOW__CORE__EXECUTOR",
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL",
    "AIRFLOW__SCHEDULER__ENABLE_HEALTH_CHECK",
    "AIRFLOW__API__PORT",
    # Airflow's own defaults are right elsewhere.
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION",
    "AIRFLOW__API__WORKERS",
    "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL",
    "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL",
    "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES",
    # Its value is each cluster's own (values-production.yaml).
    "AIRFLOW__API__BASE_URL",
}


def test_airflow_has_the_same_settings_with_and_without_the_chart():
    values = yaml.safe_load((REPO / "helm/values.yaml").read_text())["config"]
    chart = {f"AIRFLOW__{s.upper()}__{o.upper()}": str(v) for s, options in values.items() for o, v in options.items()}
    lines = (REPO / "k8s/airflow/airflow.env").read_text().splitlines()
    plain = dict(line.split("=", 1) for line in lines if line.startswith("AIRFLOW__"))
    assert {name: value for name, value in plain.items() if name not in OF_THE_LOCAL_CLUSTER} == chart


@pytest.mark.parametrize("image", ["drift", "health"])
def test_small_images_hold_no_torch(image):
    lock = (REPO / f"images/{image}/requirements.lock").read_text()
    assert "\ntorch==" not in f"\n{lock}"


@pytest.mark.parametrize("image", ["airflow", "drift", "health", "sandbox", "train"])
def test_default_bases_are_pinned_by_digest(image):
    dockerfile = (REPO / f"images/{image}/Dockerfile").read_text()
    assert "ARG BASE_IMAGE=python:3.11-slim-bookworm@sha256:" in dockerfile
