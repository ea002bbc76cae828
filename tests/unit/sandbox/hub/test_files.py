"""Files travel whole, are listed, and have pages."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import RemoteEntryNotFoundError
from huggingface_hub.hf_api import RepoFile


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


def test_part_of_a_file(hub_url: str, repository: str, commit: Callable[..., str]) -> None:
    commit({"a.bin": bytes(range(100))})
    answer = httpx.get(f"{hub_url}/{repository}/resolve/main/a.bin", headers={"range": "bytes=10-19"})
    assert (answer.status_code, answer.content) == (206, bytes(range(10, 20)))


def test_metadata_of_a_model_card_is_checked(api: HfApi, repository: str) -> None:
    with pytest.raises(ValueError, match="Invalid metadata"):
        api.upload_file(path_or_fileobj=b"---\n: [\n---\n", path_in_repo="README.md", repo_id=repository)
    api.upload_file(path_or_fileobj=b"---\nlicense: mit\n---\n", path_in_repo="README.md", repo_id=repository)


def test_links_open_pages(hub_url: str, repository: str, commit: Callable[..., str]) -> None:
    oid = commit({"a <b>.txt": b"a"}, "<script>")
    for place in ("", "/tree/main", f"/tree/{oid}", f"/commit/{oid}", "/commits/main"):
        page = httpx.get(f"{hub_url}/{repository}{place}")
        assert page.status_code == 200
        assert "a &lt;b&gt;.txt" in page.text
        assert "<script>" not in page.text
    assert repository in httpx.get(hub_url).text
    assert httpx.get(f"{hub_url}/{repository}/blob/main/a%20%3Cb%3E.txt", follow_redirects=True).content == b"a"
