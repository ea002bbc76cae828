"""Commits, branches and tags."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from huggingface_hub import CommitOperationCopy, CommitOperationDelete, HfApi
from huggingface_hub.errors import HfHubHTTPError, RemoteEntryNotFoundError

from support.sandbox import HUB_TOKEN


def test_files_are_deleted_and_copied(api: HfApi, repository: str, commit: Callable[..., str]) -> None:
    commit({"a.txt": b"a", "b.bin": b"b", "old/c.txt": b"c", "old/d.txt": b"d"})
    operations: list[CommitOperationCopy | CommitOperationDelete] = [
        CommitOperationCopy(src_path_in_repo="b.bin", path_in_repo="new/b.bin"),
        CommitOperationDelete(path_in_repo="a.txt"),
        CommitOperationDelete(path_in_repo="old/"),
    ]
    api.create_commit(repository, operations, commit_message="tidy")
    assert api.list_repo_files(repository) == [".gitattributes", "b.bin", "new/b.bin"]


def test_deleting_what_is_not_there_is_refused(api: HfApi, repository: str) -> None:
    with pytest.raises(RemoteEntryNotFoundError):
        api.delete_file("missing.txt", repository)


def test_unchanged_files_make_no_commit(commit: Callable[..., str]) -> None:
    files = {"a.txt": b"a", "b.bin": b"b"}
    assert commit(files) == commit(files)


def test_branch_with_a_slash_keeps_the_candidate_from_main(
    api: HfApi, repository: str, commit: Callable[..., str], read: Callable[..., bytes]
) -> None:
    commit({"model.onnx": b"champion"})
    api.create_branch(repository, branch="candidates/run-1")
    api.create_branch(repository, branch="candidates/run-1", exist_ok=True)
    oid = commit({"model.onnx": b"challenger"}, revision="candidates/run-1")

    assert (read("model.onnx"), read("model.onnx", "candidates/run-1")) == (b"champion", b"challenger")
    branches = {ref.name: ref.target_commit for ref in api.list_repo_refs(repository).branches}
    assert branches["candidates/run-1"] == oid
    assert api.revision_exists(repository, "candidates/run-1")
    api.delete_branch(repository, branch="candidates/run-1")
    assert not api.revision_exists(repository, "candidates/run-1")


def test_tag_stays_where_it_was_set(
    api: HfApi, repository: str, commit: Callable[..., str], read: Callable[..., bytes]
) -> None:
    commit({"a.txt": b"then"})
    api.create_tag(repository, tag="v1.0")
    commit({"a.txt": b"now"})

    assert read("a.txt", "v1.0") == b"then"
    with pytest.raises(HfHubHTTPError, match="409"):
        api.create_tag(repository, tag="v1.0")
    api.delete_tag(repository, tag="v1.0")
    assert api.list_repo_refs(repository).tags == []


def test_history_is_told_newest_first(api: HfApi, repository: str, commit: Callable[..., str]) -> None:
    oids = [commit({"a.txt": b"%d" % n}, f"step {n}") for n in range(3)]
    history = api.list_repo_commits(repository)
    assert [one.commit_id for one in history[:3]] == oids[::-1]
    assert [one.title for one in history] == ["step 2", "step 1", "step 0", "initial commit"]
    assert history[0].authors == ["someone"]


def test_commit_on_an_outdated_parent_is_refused(commit: Callable[..., str], read: Callable[..., bytes]) -> None:
    parent = commit({"a.txt": b"1"})
    commit({"a.txt": b"2"}, parent=parent)
    with pytest.raises(HfHubHTTPError, match="412"):
        commit({"a.txt": b"3"}, parent=parent)
    assert read("a.txt") == b"2"


def test_commits_fail_while_the_switch_says_so(
    api: HfApi, repository: str, hub_url: str, commit: Callable[..., str], read: Callable[..., bytes]
) -> None:
    commit({"a.txt": b"before"})
    try:
        httpx.post(f"{hub_url}/_fault", json={"mode": "down", "path": "/commit/"}).raise_for_status()
        with pytest.raises(HfHubHTTPError, match="503"):
            commit({"a.txt": b"after"})
        assert read("a.txt") == b"before"
    finally:
        httpx.post(f"{hub_url}/_fault", json={"mode": "none"}).raise_for_status()
    commit({"a.txt": b"after"})
    assert read("a.txt") == b"after"


def test_concurrent_commits_all_arrive(api: HfApi, repository: str, commit: Callable[..., str]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: commit({f"{n}.txt": b"small", f"{n}.bin": b"large %d" % n}), range(16)))
    assert len(api.list_repo_files(repository)) == 1 + 2 * 16
    assert len(api.list_repo_commits(repository)) == 1 + 16


def test_paths_never_leave_the_repository(hub_url: str, repository: str) -> None:
    line = b'{"key": "file", "value": {"path": "a/../../x", "content": ""}}\n'
    with httpx.Client(base_url=hub_url, headers={"authorization": f"Bearer {HUB_TOKEN}"}) as client:
        assert client.post(f"/api/models/{repository}/commit/main", content=line).status_code == 400
        assert client.post("/api/repos/create", json={"name": "x", "organization": ".."}).status_code == 404
