"""What environments/production.yaml promises."""

import ast
import re
from pathlib import Path

import kubernetes_validate
import pytest

from support.restricted import loose_ends, violations

REPO = Path(__file__).parents[2]
KUBERNETES = ["1.30", "1.31", "1.32", "1.33", "1.34"]
BY_DIGEST = re.compile(r"^[\w.-]+(/[\w.-]+)+@sha256:[0-9a-f]{64}$")


@pytest.fixture(scope="module")
def objects(rendered):
    return rendered("environments/production.yaml")


@pytest.fixture(scope="module")
def named(objects):
    return {(o["kind"], o["metadata"]["name"]): o for o in objects}


@pytest.mark.parametrize("version", KUBERNETES)
@pytest.mark.parametrize("source", ["environments/production.yaml", "overlays/kind"])
def test_valid_on(rendered, source, version):
    for document in rendered(source):
        kubernetes_validate.validate(document, version, strict=True)


def test_it_makes_no_secret_and_no_stand_in(objects):
    assert not [o for o in objects if o["kind"] == "Secret"]
    assert [o["metadata"]["name"] for o in objects if o["kind"] in {"Deployment", "StatefulSet"}] == ["pushgateway"]


def test_images_are_named_by_digest_in_one_place(named):
    images = named["ConfigMap", "wakee-images"]["data"]
    names = {name: value for name, value in images.items() if name.endswith("_IMAGE")}
    assert set(names) == {f"WAKEE_{image}_IMAGE" for image in ("DRIFT", "HEALTH", "TRAIN", "XCOM")}
    assert [value for value in names.values() if not BY_DIGEST.match(value)] == []
    job = named["Job", "wakee-db-upgrade"]["spec"]["template"]["spec"]
    assert job["containers"][0]["image"] == images["WAKEE_DRIFT_IMAGE"]


def test_pods_are_restricted_bounded_and_named_by_digest(objects):
    specs = [o["spec"]["template"]["spec"] for o in objects if "template" in o.get("spec", {})]
    assert len(specs) == 2
    assert [violations(spec) + loose_ends(spec) for spec in specs] == [[], []]
    assert all(BY_DIGEST.match(container["image"]) for spec in specs for container in spec["containers"])


def test_the_migration_makes_room_for_the_next(named):
    assert named["Job", "wakee-db-upgrade"]["spec"]["ttlSecondsAfterFinished"] > 0


def test_gpus_are_asked_for_and_limited(named):
    settings = named["ConfigMap", "wakee-images"]["data"]
    quota = named["ResourceQuota", "wakee-gpu"]["spec"]["hard"]
    assert int(settings["WAKEE_GPU_COUNT"]) <= int(quota[f"requests.{settings['WAKEE_GPU_RESOURCE']}"])


@pytest.mark.parametrize("source", ["environments/production.yaml", "overlays/kind"])
def test_stages_are_told_where_to_push(rendered, source):
    named = {(o["kind"], o["metadata"]["name"]): o for o in rendered(source)}
    port = named["Service", "pushgateway"]["spec"]["ports"][0]["port"]
    assert named["ConfigMap", "wakee-config"]["data"]["PUSHGATEWAY_URL"] == f"http://pushgateway:{port}"


def test_settings_are_those_that_the_dags_read(named):
    sources = [path.read_text() for path in (REPO / "dags").rglob("*.py")]
    read = {
        node.value
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    settings = named["ConfigMap", "wakee-images"]["data"]
    unknown = {
        name
        for name in settings
        if not name.endswith("_IMAGE") and name not in read and name.removeprefix("WAKEE_") not in read
    }
    assert unknown == set()
