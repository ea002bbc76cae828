"""Services that refuse a new pod for a moment."""

import huggingface_hub  # noqa: F401 - takes seconds, in which the Hub would stop refusing
import pytest
from wakee_common.hub import ModelHub
from wakee_train.release.registry import Registry
from wakee_train.settings import HubSettings, TrackingSettings


@pytest.fixture
def hub(hub_url, refused_at_first, tmp_path):
    settings = HubSettings(repository="wakee/first-seconds", token="hf_sandbox", endpoint=refused_at_first(hub_url))
    return ModelHub(settings, tmp_path)


def test_a_hub_that_refuses_a_new_pod(hub):
    hub.ensure_repository(private=False)

    assert hub.version(hub.main()) is None


def test_an_mlflow_that_refuses_a_new_pod(mlflow_url, refused_at_first):
    settings = TrackingSettings(uri=refused_at_first(mlflow_url), experiment="first-seconds")

    assert Registry(settings).experiment_id()
