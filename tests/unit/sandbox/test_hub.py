"""The double is driven by the unmodified client, as the stages do."""

import hashlib
import os
import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationCopy, CommitOperationDelete, HfApi
from huggingface_hub.errors import (
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import RepoFile

from .conftest import HUB_TOKEN, free_port, hub_service, responds

# The client itself hands its uploads to httpx in a way that httpx would rather not see.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def api(hub_url: str) -> HfApi:
    return HfApi(endpoint=hub_url, token=HUB_TOKEN)


@pytest.fixture
def repository(api: HfApi) -> str:
    return api.create_repo(f"team/{uuid4().hex}").repo_id


def add(path: str, content: bytes) -> CommitOperationAdd:
    return CommitOperationAdd(path_in_repo=path, path_or_fileobj=content)


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


def test_small_and_large_files_come_back_at_every_revision(
    commit: Callable[..., str], read: Callable[..., bytes], api: HfApi, repository: str
) -> None:
    old, new = ({"README.md": b"# %d" % n, "model.onnx": os.urandom(300_000)} for n in range(2))
    first = commit(old)
    second = commit(new)

    assert {path: read(path, first) for path in old} == old
    assert {path: read(path) for path in new} == new
    assert api.model_info(repository).sha == second
    assert api.model_info(repository, revision=first).sha == first


def test_file_of_70_megabytes_travels_and_is_stored_once(
    api: HfApi, repository: str, tmp_path: Path, read: Callable[..., bytes], data_root: Path
) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(os.urandom(1 << 20) * 70)
    for name in ("model.onnx", "copy.onnx"):
        api.upload_file(path_or_fileobj=source, path_in_repo=name, repo_id=repository)

    sha256 = hashlib.sha256(source.read_bytes()).hexdigest()
    assert hashlib.sha256(read("copy.onnx")).hexdigest() == sha256
    assert len(list((data_root / "hub" / "contents").rglob(f"{sha256}*"))) == 1


def test_folder_is_uploaded_and_listed(api: HfApi, repository: str, tmp_path: Path) -> None:
    for path in ("README.md", "weights/a.bin", "weights/deep/b.json"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(path.encode())
    api.upload_folder(repo_id=repository, folder_path=tmp_path, path_in_repo="run 1/ü")

    def paths(**how: object) -> list[str]:
        return [item.path for item in api.list_repo_tree(repository, **how)]  # type: ignore[arg-type]

    assert paths() == [".gitattributes", "run 1"]
    assert paths(path_in_repo="run 1/ü") == ["run 1/ü/README.md", "run 1/ü/weights"]
    assert "run 1/ü/weights/deep/b.json" in api.list_repo_files(repository)
    assert "run 1/ü/weights/deep" in paths(recursive=True, expand=True)
    with pytest.raises(RemoteEntryNotFoundError):
        paths(path_in_repo="nowhere")


def test_snapshot_has_every_file(api: HfApi, repository: str, commit: Callable[..., str], tmp_path: Path) -> None:
    commit({"a/b.txt": b"text", "c.bin": b"binary", "empty.bin": b""})
    folder = Path(api.snapshot_download(repository, cache_dir=tmp_path))
    assert [(folder / path).read_bytes() for path in ("a/b.txt", "c.bin", "empty.bin")] == [b"text", b"binary", b""]


def test_paths_info_tells_size_digest_and_last_commit(api: HfApi, repository: str, commit: Callable[..., str]) -> None:
    wanted = commit({"d/model.onnx": b"weights"}, "the model")
    commit({"other.txt": b"x"}, "something else")

    file, folder = api.get_paths_info(repository, ["d/model.onnx", "d", "missing"], expand=True)
    assert isinstance(file, RepoFile)
    assert file.lfs
    assert (file.size, file.lfs.sha256) == (7, hashlib.sha256(b"weights").hexdigest())
    assert [item.last_commit.oid for item in (file, folder) if item.last_commit] == [wanted, wanted]


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


def test_metadata_of_a_model_card_is_checked(api: HfApi, repository: str) -> None:
    with pytest.raises(ValueError, match="Invalid metadata"):
        api.upload_file(path_or_fileobj=b"---\n: [\n---\n", path_in_repo="README.md", repo_id=repository)
    api.upload_file(path_or_fileobj=b"---\nlicense: mit\n---\n", path_in_repo="README.md", repo_id=repository)


def test_paths_never_leave_the_repository(hub_url: str, repository: str) -> None:
    line = b'{"key": "file", "value": {"path": "a/../../x", "content": ""}}\n'
    with httpx.Client(base_url=hub_url, headers={"authorization": f"Bearer {HUB_TOKEN}"}) as client:
        assert client.post(f"/api/models/{repository}/commit/main", content=line).status_code == 400
        assert client.post("/api/repos/create", json={"name": "x", "organization": ".."}).status_code == 404


def test_part_of_a_file(hub_url: str, repository: str, commit: Callable[..., str]) -> None:
    commit({"a.bin": bytes(range(100))})
    answer = httpx.get(f"{hub_url}/{repository}/resolve/main/a.bin", headers={"range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, bytes(range(10, 20)))


def test_links_open_pages(hub_url: str, repository: str, commit: Callable[..., str]) -> None:
    oid = commit({"a <b>.txt": b"a"}, "<script>")
    for place in ("", "/tree/main", f"/tree/{oid}", f"/commit/{oid}", "/commits/main"):
        page = httpx.get(f"{hub_url}/{repository}{place}")
        assert page.status_code == 200
        assert "a &lt;b&gt;.txt" in page.text
        assert "<script>" not in page.text
    assert repository in httpx.get(hub_url).text
    assert httpx.get(f"{hub_url}/{repository}/blob/main/a%20%3Cb%3E.txt", follow_redirects=True).content == b"a"


def test_everything_survives_kill(data: Path, tmp_path: Path) -> None:
    port = free_port()
    url, service = f"http://127.0.0.1:{port}", hub_service(data, port)
    api = HfApi(endpoint=url, token=HUB_TOKEN)
    try:
        service.start().wait_until(lambda: responds(f"{url}/health"), "the Hub answers")
        api.create_repo("team/kept")
        oid = api.create_commit("team/kept", [add("model.onnx", b"weights")], commit_message="kept").oid
        service.stop(signal.SIGKILL)
        service.start().wait_until(lambda: responds(f"{url}/health"), "the Hub answers again")
        assert api.model_info("team/kept").sha == oid
        assert Path(api.hf_hub_download("team/kept", "model.onnx", cache_dir=tmp_path)).read_bytes() == b"weights"
    finally:
        service.stop()
