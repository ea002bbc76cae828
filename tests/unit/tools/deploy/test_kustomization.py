"""What is written on top of the local overlays."""

import json

import pytest

from wakee_tools.cluster.choice import AirflowInstall
from wakee_tools.deploy.kustomization import kustomization

IMAGES = {"drift": "localhost/wakee/drift:12e456789012", "sandbox": "localhost/wakee/sandbox:abc"}


@pytest.mark.parametrize(
    ("install", "overlay"),
    [(AirflowInstall.CHART, "../../k8s/overlays/kind"), (AirflowInstall.MANIFESTS, "../../k8s/overlays/debian")],
)
def test_the_overlay_and_the_images(install, overlay):
    written = kustomization(install, IMAGES, "digest")
    assert written["resources"] == [overlay]
    assert {"name": "localhost/wakee/drift", "newTag": "12e456789012"} in written["images"]
    assert written["configMapGenerator"][0]["literals"] == [
        "WAKEE_DRIFT_IMAGE=localhost/wakee/drift:12e456789012",
        "WAKEE_SANDBOX_IMAGE=localhost/wakee/sandbox:abc",
        "WAKEE_XCOM_IMAGE=localhost/wakee/sandbox:abc",
    ]


def test_under_the_chart_the_settings_come_from_helm():
    written = kustomization(AirflowInstall.CHART, IMAGES, "digest")
    assert len(written["configMapGenerator"]) == 1
    assert "patches" not in written


def test_changed_settings_start_new_pods_of_the_plain_manifests():
    (patch,) = kustomization(AirflowInstall.MANIFESTS, IMAGES, "digest")["patches"]
    (operation,) = json.loads(patch["patch"])
    assert operation["value"] == {"wakee.io/settings": "digest"}
