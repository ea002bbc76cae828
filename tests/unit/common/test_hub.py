"""The Hub's client, its errors in our words."""

import socket

import pytest
from huggingface_hub import CommitOperationAdd
from wakee_common import hub
from wakee_common.errors import UnavailableError
from wakee_common.hub import HubSettings, ModelHub

FILES = [CommitOperationAdd("config.json", b"{}")]
CALLS = {
    "head": lambda at: at.head(),
    "create": lambda at: at.ensure_repository(private=False),
    "find": lambda at: at.find_commit("main", "a title"),
    "download": lambda at: at.download("config.json", "main"),
    "commit": lambda at: at.commit("main", "a title", "", FILES, None),
}


def model_hub(address, folder):
    return ModelHub(HubSettings(repository="wakee/model", token="hf_test", endpoint=address), folder)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """A fraction of a second instead of a minute, and no pauses between the client's own tries."""
    monkeypatch.setattr(hub, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_ETAG_TIMEOUT", 0.2)
    monkeypatch.setattr("huggingface_hub.file_download._ETAG_RETRY_TIMEOUT", 0.2)
    monkeypatch.setattr("huggingface_hub.utils._http.time.sleep", lambda _: None)


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_hub_that_cannot_be_reached_is_worth_a_retry(tmp_path, call):
    with pytest.raises(UnavailableError, match="the Hub cannot be reached for"):
        call(model_hub("http://127.0.0.1:9", tmp_path))


@pytest.mark.timeout(30)
@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_hub_that_is_silent_is_not_waited_for_for_ever(tmp_path, call):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(UnavailableError, match="the Hub cannot be reached for"):
            call(model_hub(address, tmp_path))
