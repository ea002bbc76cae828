"""The contents of a revision, in the format of the Hub's API."""

import hashlib
from collections.abc import Iterable
from typing import Any

from wakee_contract.model import CARD

from wakee_sandbox.hub.cards import Metadata, metadata, tags
from wakee_sandbox.hub.errors import entry_not_found
from wakee_sandbox.hub.files import Entry, lfs_pointer
from wakee_sandbox.hub.repository import Commit, Repository

Item = dict[str, Any]


def model_info(repository: Repository, commit: Commit, with_blobs: bool) -> Item:
    """Create the response to `model_info`."""
    settings, card = repository.settings, _card(repository, commit)
    return {
        "_id": hashlib.sha256(repository.identifier.encode()).hexdigest()[:24],
        "id": repository.identifier,
        "modelId": repository.identifier,
        "author": repository.identifier.split("/")[0],
        "sha": commit.oid,
        "lastModified": commit.date,
        "createdAt": settings["created_at"],
        "private": settings["private"],
        "gated": repository.gated,
        "disabled": False,
        "downloads": 0,
        "likes": 0,
        "tags": tags(card),
        **{name: card[name] for name in ("library_name", "pipeline_tag") if name in card},
        **({"cardData": card} if card else {}),
        "siblings": [_sibling(path, entry, with_blobs) for path, entry in sorted(commit.tree.items())],
    }


def tree(repository: Repository, commit: Commit, folder: str, recursive: bool, expand: bool) -> list[Item]:
    """List files and folders in a folder (`""` is the root), optionally recursively.

    Raises:
        HubError: the folder does not exist.
    """
    prefix = f"{folder.strip('/')}/" if folder.strip("/") else ""
    inside = [path for path in commit.tree if path.startswith(prefix)]
    if prefix and not inside:
        raise entry_not_found(folder)
    paths = {path for path in inside if recursive or "/" not in path.removeprefix(prefix)}
    folders = {parent for path in inside for parent in _parents(path) if parent.startswith(prefix)}
    folders = {name for name in folders if recursive or "/" not in name.removeprefix(prefix)}
    return paths_info(repository, commit, sorted(paths | folders), expand)


def paths_info(repository: Repository, commit: Commit, paths: Iterable[str], expand: bool) -> list[Item]:
    """Describe the files and folders among `paths`. Missing ones are omitted."""
    found = [item for path in paths if (item := _item(commit, path.strip("/")))]
    if expand:
        for item in found:
            item["lastCommit"] = _last_commit(repository, commit, item["path"])
    return found


def _card(repository: Repository, commit: Commit) -> Metadata:
    """The metadata of the model card; empty if it is invalid."""
    entry = commit.tree.get(CARD)
    try:
        return metadata(repository.content(entry).decode()) if entry else {}
    except ValueError:
        return {}


def _sibling(path: str, entry: Entry, with_blobs: bool) -> Item:
    return {"rfilename": path} | ({"size": entry.size, "blobId": entry.git_oid} | _lfs(entry) if with_blobs else {})


def _item(commit: Commit, path: str) -> Item | None:
    if entry := commit.tree.get(path):
        return {"type": "file", "oid": entry.git_oid, "size": entry.size, "path": path} | _lfs(entry, "oid")
    inside = {name: entry.sha256 for name, entry in commit.tree.items() if name.startswith(f"{path}/")}
    if not inside:
        return None
    oid = hashlib.sha1(repr(sorted(inside.items())).encode(), usedforsecurity=False).hexdigest()
    return {"type": "directory", "oid": oid, "size": 0, "path": path}


def _lfs(entry: Entry, digest: str = "sha256") -> Item:
    if not entry.large:
        return {}
    pointer = lfs_pointer(entry.sha256, entry.size)
    return {"lfs": {digest: entry.sha256, "size": entry.size, "pointerSize": len(pointer)}}


def _parents(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _last_commit(repository: Repository, commit: Commit, path: str) -> Item:
    """The last commit that changed anything at or below `path`."""
    state = _state(commit, path)
    newest = commit
    for ancestor in repository.history(commit.oid):
        if _state(ancestor, path) != state:
            break
        newest = ancestor
    return {"id": newest.oid, "title": newest.title, "date": newest.date}


def _state(commit: Commit, path: str) -> list[tuple[str, str]]:
    return sorted((n, e.sha256) for n, e in commit.tree.items() if n == path or n.startswith(f"{path}/"))
