"""The Hub's client, its errors in our words."""

import socket

import pytest
from huggingface_hub import CommitOperationAdd
from wakee_common import hub
from wakee_common.errors import ConfigurationError, UnavailableError
from wakee_common.hub import ConflictError, HubSettings, ModelHub
from wakee_common.hub_errors import RepositoryNotVisibleError

from support.hostile_http import http, saying, served

FILES = [CommitOperationAdd("config.json", b"{}")]
CALLS = {
    "main": lambda at: at.main(),
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


FULL = "You have exceeded your 100GB storage limit for private repositories"
REFUSALS = {
    "a wrong token": ("401 Unauthorized", "Invalid credentials in Authorization header", "Check HF_TOKEN$"),
    "a full account": ("403 Forbidden", FULL, "Free space there or raise the limit$"),
    "a token that may only read": (
        "403 Forbidden",
        "you must use a write token",
        "permissions of HF_TOKEN",
    ),
    "a gated repository": (
        "403 Forbidden",
        "Access is gated, ask for it",
        "Request access on the repository's page with the account of HF_TOKEN$",
    ),
}


@pytest.mark.parametrize(("status", "words", "remedy"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_has_the_hubs_own_words_and_a_remedy_that_depends_on_them(tmp_path, status, words, remedy):
    with (
        served(saying(http(status=status, x_error_message=words))) as hub_double,
        pytest.raises(ConfigurationError, match=remedy) as error,
    ):
        model_hub(hub_double.url, tmp_path).ensure_repository(private=False)
    assert words in str(error.value)


@pytest.mark.parametrize(
    ("parent", "kind"), [("0" * 40, ConflictError), (None, UnavailableError)], ids=["named", "none"]
)
def test_a_commit_in_between_is_final_only_where_a_parent_was_named(tmp_path, parent, kind):
    with (
        served(saying(http(status="412 Precondition Failed", x_error_message="a commit came first"))) as hub_double,
        pytest.raises(kind, match="a commit came first"),
    ):
        model_hub(hub_double.url, tmp_path).commit("main", "a title", "", FILES, parent)


GATED = {"x_error_code": "GatedRepo", "x_error_message": "Access to this model is restricted"}
HIDDEN = {"x_error_code": "RepoNotFound", "x_error_message": "Repository not found"}
NOT_FOUND_BY_THE_CLIENT = {
    "gated": (
        "403 Forbidden",
        GATED,
        ConfigurationError,
        "Request access on the repository's page with the account of HF_TOKEN$",
    ),
    "gated, without a token": (
        "401 Unauthorized",
        GATED,
        ConfigurationError,
        "Request access on the repository's page with the account of HF_TOKEN$",
    ),
    "a token that expired": ("401 Unauthorized", HIDDEN, ConfigurationError, "Check HF_TOKEN"),
    "missing or hidden": (
        "404 Not Found",
        HIDDEN,
        RepositoryNotVisibleError,
        "or is hidden from the account of HF_TOKEN",
    ),
}
"""What the client calls `RepositoryNotFoundError`."""
READING = {name: CALLS[name] for name in ("main", "find", "download")} | {
    "config": lambda at: at.config("main"),
    "holds": lambda at: at.main_holds("v1"),
}


@pytest.mark.parametrize("call", READING.values(), ids=READING)
@pytest.mark.parametrize(
    ("status", "headers", "kind", "remedy"), NOT_FOUND_BY_THE_CLIENT.values(), ids=NOT_FOUND_BY_THE_CLIENT
)
def test_what_the_client_calls_not_found_is_never_taken_for_missing(tmp_path, call, status, headers, kind, remedy):
    with (
        served(saying(http(status=status, **headers))) as hub_double,
        pytest.raises(kind, match=remedy) as error,
    ):
        call(model_hub(hub_double.url, tmp_path))
    assert headers["x_error_message"] in str(error.value)


def test_nothing_is_seen_of_a_repository_that_is_missing_or_hidden(tmp_path):
    with served(saying(http(status="404 Not Found", **HIDDEN))) as hub_double:
        assert model_hub(hub_double.url, tmp_path).visible_main() is None
