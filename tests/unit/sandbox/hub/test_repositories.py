"""Repositories: made, deleted, kept after a crash, and closed to strangers."""

import signal
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from support.ports import free_port
from support.sandbox import HUB_TOKEN

from ..conftest import hub_service
from .conftest import add


def test_token_has_a_user(api: HfApi) -> None:
    assert api.whoami()["name"] == "someone"


def test_repository_is_made_once_and_found(api: HfApi, repository: str, hub_url: str) -> None:
    assert api.create_repo(repository, exist_ok=True) == f"{hub_url}/{repository}"
    assert api.repo_exists(repository)
    assert repository in [model.id for model in api.list_models()]
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_repo(repository)


def test_repository_without_namespace_is_the_users(api: HfApi) -> None:
    assert api.create_repo(name := uuid4().hex).repo_id == f"someone/{name}"


def test_deleted_repository_is_gone_and_can_be_made_again(
    api: HfApi, repository: str, commit: Callable[..., str]
) -> None:
    commit({"a.txt": b"a"})
    api.delete_repo(repository)
    assert not api.repo_exists(repository)
    with pytest.raises(RepositoryNotFoundError):
        api.delete_repo(repository)
    api.create_repo(repository)
    assert api.list_repo_files(repository) == [".gitattributes"]


def test_missing_things_have_the_clients_own_exceptions(
    api: HfApi, repository: str, commit: Callable[..., str], read: Callable[..., bytes]
) -> None:
    commit({"a.txt": b"a"})
    with pytest.raises(RemoteEntryNotFoundError):
        read("missing ✗.txt")
    with pytest.raises(RevisionNotFoundError):
        read("a.txt", "no-such-branch-✗")
    with pytest.raises(RepositoryNotFoundError):
        api.hf_hub_download("team/missing", "a.txt")
    with pytest.raises(RepositoryNotFoundError):
        api.model_info("team/missing")
    with pytest.raises(RevisionNotFoundError):
        api.create_branch(repository, branch="b", revision="no-such-revision")
    assert not api.file_exists(repository, "missing.txt")
    assert api.file_exists(repository, "a.txt")


@pytest.mark.parametrize("token", ["hf_wrong", False], ids=["wrong", "none"])
def test_writing_needs_the_token(hub_url: str, repository: str, token: str | bool) -> None:
    stranger = HfApi(endpoint=hub_url, token=token)
    with pytest.raises(HfHubHTTPError, match="401"):
        stranger.create_repo("team/stolen")
    with pytest.raises(HfHubHTTPError, match="401"):
        stranger.upload_file(path_or_fileobj=b"x", path_in_repo="x.txt", repo_id=repository)


def test_upload_without_signed_address_is_refused(hub_url: str) -> None:
    assert httpx.put(f"{hub_url}/_lfs/{'0' * 64}?signature=guessed", content=b"x").status_code == 403


def test_private_repository_hides_from_strangers(api: HfApi, hub_url: str) -> None:
    name = api.create_repo(f"team/{uuid4().hex}", private=True).repo_id
    with pytest.raises(RepositoryNotFoundError):
        HfApi(endpoint=hub_url, token=False).model_info(name)
    assert api.model_info(name).private is True


def test_everything_survives_kill(data: Path, tmp_path: Path) -> None:
    port = free_port()
    url, service = f"http://127.0.0.1:{port}", hub_service(data, port)
    api = HfApi(endpoint=url, token=HUB_TOKEN)
    try:
        service.start().wait_for_answer(f"{url}/health")
        api.create_repo("team/kept")
        oid = api.create_commit("team/kept", [add("model.onnx", b"weights")], commit_message="kept").oid
        service.stop(signal.SIGKILL)
        service.start().wait_for_answer(f"{url}/health")
        assert api.model_info("team/kept").sha == oid
        assert Path(api.hf_hub_download("team/kept", "model.onnx", cache_dir=tmp_path)).read_bytes() == b"weights"
    finally:
        service.stop()
