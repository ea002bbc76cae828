"""What other tokens than the owner's see and may do, and what the client makes of these answers."""

from collections.abc import Callable
from uuid import uuid4

import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import GatedRepoError, HfHubHTTPError, RepositoryNotFoundError

from support.sandbox import BLIND, READER, STRANGER

from .conftest import add


@pytest.fixture
def private(api: HfApi) -> str:
    return api.create_repo(f"team/{uuid4().hex}", private=True).repo_id


@pytest.fixture
def gated(api: HfApi, repository: str, commit: Callable[..., str]) -> str:
    commit({"config.json": b"{}"})
    api.update_repo_settings(repository, gated="auto")
    return repository


def holder(hub_url: str, token: str) -> HfApi:
    return HfApi(endpoint=hub_url, token=token)


@pytest.mark.parametrize(("token", "role"), [(READER, "read"), (STRANGER, "write")])
def test_a_token_has_its_user_and_role(hub_url: str, token: str, role: str) -> None:
    known = holder(hub_url, token).whoami()

    assert (known["name"], known["auth"]["accessToken"]["role"]) == (token.removeprefix("hf_"), role)


@pytest.mark.parametrize("token", [STRANGER, BLIND])
def test_a_private_repository_looks_missing(hub_url: str, private: str, token: str) -> None:
    with pytest.raises(RepositoryNotFoundError):
        holder(hub_url, token).model_info(private)
    with pytest.raises(RepositoryNotFoundError):
        holder(hub_url, token).auth_check(private)
    assert private not in [model.id for model in holder(hub_url, token).list_models()]


def test_a_hidden_repository_cannot_be_made_again(hub_url: str, private: str) -> None:
    with pytest.raises(HfHubHTTPError, match="409"):
        holder(hub_url, BLIND).create_repo(private)


def test_nobody_makes_a_repository_in_anothers_namespace(hub_url: str) -> None:
    with pytest.raises(HfHubHTTPError, match=r"403.*don't have the rights"):
        holder(hub_url, STRANGER).create_repo(f"team/{uuid4().hex}")
    assert holder(hub_url, STRANGER).create_repo(f"stranger/{uuid4().hex}").repo_id.startswith("stranger/")


def test_a_reader_reads_and_does_not_write(hub_url: str, private: str) -> None:
    reader = holder(hub_url, READER)

    assert reader.model_info(private).private
    reader.auth_check(private)
    with pytest.raises(HfHubHTTPError, match="403"):
        reader.auth_check(private, write=True)
    with pytest.raises(HfHubHTTPError, match="403"):
        reader.create_commit(private, [add("a.txt", b"a")], commit_message="no")


def test_the_owner_may_write(api: HfApi, private: str) -> None:
    api.auth_check(private, write=True)


def test_a_gated_repository_shows_itself_and_keeps_its_files(hub_url: str, gated: str, tmp_path) -> None:
    stranger = holder(hub_url, STRANGER)

    assert stranger.model_info(gated).gated == "auto"
    with pytest.raises(GatedRepoError):
        stranger.hf_hub_download(gated, "config.json", cache_dir=tmp_path)
    with pytest.raises(GatedRepoError):
        stranger.auth_check(gated)


def test_a_gated_repository_is_open_to_its_owner(api: HfApi, gated: str, tmp_path) -> None:
    assert api.hf_hub_download(gated, "config.json", cache_dir=tmp_path)


def test_a_repository_becomes_private_and_public_again(api: HfApi, hub_url: str, repository: str) -> None:
    api.update_repo_settings(repository, private=True)
    hidden = [model.id for model in holder(hub_url, STRANGER).list_models()]
    api.update_repo_settings(repository, private=False)

    assert repository not in hidden
    assert holder(hub_url, STRANGER).model_info(repository).private is False
