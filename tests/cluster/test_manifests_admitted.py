"""A live API server takes every object of the overlays: its schema, its admission, its quota, all but the storing."""

import subprocess

import pytest
import yaml

from support.cluster import REPO


def rendered(overlay):
    """The objects of an overlay; Jobs under other names, for an existing Job cannot be changed."""
    text = subprocess.run(["kubectl", "kustomize", REPO / overlay], check=True, capture_output=True, text=True).stdout
    objects = [document for document in yaml.safe_load_all(text) if document]
    for document in objects:
        if document["kind"] == "Job":
            document["metadata"]["name"] += "-dry-run"
    return objects


@pytest.mark.parametrize("overlay", ["k8s/overlays/kind", "k8s/overlays/debian", "k8s/overlays/production"])
@pytest.mark.usefixtures("kubernetes")
def test_a_live_api_server_takes_it(overlay):
    objects = rendered(overlay)
    done = subprocess.run(
        ["kubectl", "apply", "--dry-run=server", "-f", "-"],
        input=yaml.safe_dump_all(objects),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert len([line for line in done.stdout.splitlines() if "(server dry run)" in line]) == len(objects)


@pytest.mark.usefixtures("kubernetes")
def test_it_refuses_what_is_wrong():
    (role,) = [document for document in rendered("k8s/overlays/production") if document["kind"] == "Role"]
    role["rules"][0]["verbs"] = []
    done = subprocess.run(
        ["kubectl", "apply", "--dry-run=server", "-f", "-"], input=yaml.safe_dump(role), capture_output=True, text=True
    )
    assert "must contain at least one value" in done.stderr
