"""What the manifests promise: valid for current Kubernetes, restricted pods, every image by content tag."""

import json
import re
from pathlib import Path

import kubernetes_validate
import pytest

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


@pytest.mark.parametrize("image", ["drift", "health"])
def test_small_images_hold_no_torch(image):
    lock = (REPO / f"images/{image}/requirements.lock").read_text()
    assert "\ntorch==" not in f"\n{lock}"


def test_the_public_base_is_named_once_and_pinned_by_digest():
    dockerfiles = {path.parent.name: path.read_text() for path in (REPO / "images").glob("*/Dockerfile")}
    bases = {name: set(re.findall(r"^FROM (\S+)", text, re.MULTILINE)) for name, text in dockerfiles.items()}
    assert "ARG BASE_IMAGE=python:3.11-slim-bookworm@sha256:" in dockerfiles.pop("base")
    assert bases.pop("base") == {"${BASE_IMAGE}"}
    assert set().union(*bases.values()) == {"${BUILDER}", "builder", "${RUNTIME}"}
    assert not [name for name, text in dockerfiles.items() if "BASE_IMAGE" in text]
