"""The Hub's client, its errors in our words."""

import pytest
from wakee_common.errors import UnavailableError
from wakee_train.hub import ModelHub
from wakee_train.settings import HubSettings


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda hub: hub.head(), id="head"),
        pytest.param(lambda hub: hub.ensure_repository(), id="create"),
    ],
)
def test_a_hub_that_cannot_be_reached_is_worth_a_retry(tmp_path, call):
    nowhere = HubSettings(repository="wakee/model", token="hf_test", endpoint="http://127.0.0.1:9")

    with pytest.raises(UnavailableError, match="the Hub cannot be reached for"):
        call(ModelHub(nowhere, tmp_path))
