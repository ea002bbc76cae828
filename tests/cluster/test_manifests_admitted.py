"""A live API server takes every object of the overlays: its schema, its admission, its quota, all but the storing."""

import subprocess

import pytest
import yaml

from support.rendering import rendered as rendered_objects


def rendered(source):
    """The objects of an overlay or environment; Jobs under other names, for an existing Job cannot be changed."""
    objects = rendered_objects(source)
    for document in objects:
        if document["kind"] == "Job":
            document["metadata"]["name"] += "-dry-run"
    return objects


@pytest.mark.parametrize("source", ["overlays/kind", "overlays/debian", "environments/production.yaml"])
@pytest.mark.usefixtures("kubernetes")
def test_a_live_api_server_takes_it(source):
    objects = rendered(source)
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
    (role,) = [document for document in rendered("environments/production.yaml") if document["kind"] == "Role"]
    role["rules"][0]["verbs"] = []
    done = subprocess.run(
        ["kubectl", "apply", "--dry-run=server", "-f", "-"], input=yaml.safe_dump(role), capture_output=True, text=True
    )
    assert "must contain at least one value" in done.stderr
