"""The double of the Hub, driven by the unmodified client, as the stages do."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
from huggingface_hub import CommitOperationAdd, HfApi

from support.sandbox import HUB_TOKEN


def add(path: str, content: bytes) -> CommitOperationAdd:
    return CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)


@pytest.fixture
def api(hub_url: str) -> HfApi:
    return HfApi(endpoint=hub_url, token=HUB_TOKEN)


@pytest.fixture
def repository(api: HfApi) -> str:
    return api.create_repo(f"team/{uuid4().hex}").repo_id


@pytest.fixture
def commit(api: HfApi, repository: str) -> Callable[..., str]:
    def make(
        files: dict[str, bytes], message: str = "change", revision: str | None = None, parent: str | None = None
    ) -> str:
        operations = [add(path, content) for path, content in files.items()]
        made = api.create_commit(
            repository, operations, commit_message=message, revision=revision, parent_commit=parent
        )
        return str(made.oid)

    return make


@pytest.fixture
def read(api: HfApi, repository: str, tmp_path: Path) -> Callable[..., bytes]:
    def download(path: str, revision: str | None = None) -> bytes:
        return Path(api.hf_hub_download(repository, path, revision=revision, cache_dir=tmp_path)).read_bytes()

    return download
