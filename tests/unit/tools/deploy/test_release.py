"""What helm and kubectl say of releases and versions."""

import json

import pytest

from wakee_tools.deploy.helm import image_settings, minor_version
from wakee_tools.deploy.release import newest_good


@pytest.mark.parametrize(
    ("statuses", "revision"),
    [
        pytest.param([], "", id="none"),
        pytest.param(["failed"], "", id="none that came up"),
        pytest.param(["superseded", "deployed", "failed"], "2", id="not the failed one"),
        pytest.param(["superseded", "pending-upgrade"], "1", id="not the interrupted one"),
        pytest.param(["superseded"] * 9 + ["deployed"], "10", id="by number, not by text"),
    ],
)
def test_the_newest_revision_that_came_up(statuses, revision):
    history = [{"revision": number, "status": status} for number, status in enumerate(statuses, 1)]
    assert newest_good(history) == revision


@pytest.mark.parametrize(("minor", "number"), [("20", 20), ("34", 34), ("34+", 34)])
def test_the_server_s_minor_version(minor, number):
    versions = {"clientVersion": {"minor": "99"}, "serverVersion": {"major": "1", "minor": minor}}
    assert minor_version(json.dumps(versions)) == number


def test_an_image_is_its_repository_and_its_tag():
    assert image_settings("localhost:5001/wakee/airflow:12e4") == [
        "--set",
        "images.airflow.repository=localhost:5001/wakee/airflow",
        "--set-string",
        "images.airflow.tag=12e4",
    ]
