"""Parse the body of a commit request, one JSON object per line, to a change of a tree."""

import base64
import binascii
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

from wakee_contract.model import CARD

from wakee_sandbox.hub.errors import bad_request, entry_not_found
from wakee_sandbox.hub.files import Contents, Entry
from wakee_sandbox.hub.repository import Repository, Tree

LONGEST_LINE = 64 << 20


@dataclass
class Changes:
    """The operations of one commit, in order. `apply` creates the new tree."""

    title: str = "no message"
    message: str = ""
    parent: str | None = None
    steps: list[tuple[str, Entry | None]] = field(default_factory=list)

    def cards(self, repository: Repository) -> list[str]:
        """The model cards among the new files."""
        entries = [entry for path, entry in self.steps if path == CARD and entry is not None]
        return [repository.content(entry).decode(errors="replace") for entry in entries]

    def apply(self, tree: Tree) -> Tree:
        """Return the tree after the change.

        Raises:
            HubError: a file or folder to delete does not exist.
        """
        for path, entry in self.steps:
            if entry is not None:
                tree[path] = entry
            elif path.endswith("/"):
                _delete_folder(tree, path)
            elif tree.pop(path, None) is None:
                raise entry_not_found(f"{path}: A file with this name doesn't exist")
        return tree


async def read_changes(body: AsyncIterator[bytes], contents: Contents) -> Changes:
    """Read a request's body. Contents are stored line by line, so that only one line is in memory.

    Raises:
        HubError: a line is invalid, or names an LFS object that was not uploaded.
    """
    changes = Changes()
    async for line in _lines(body):
        try:
            item = json.loads(line)
            _read(changes, item["key"], item["value"], contents)
        except (ValueError, KeyError, TypeError, binascii.Error) as error:
            raise bad_request(f"not a valid line of a commit: {error}") from error
    return changes


def checked_path(path: str) -> str:
    """Validate a path inside a repository.

    Raises:
        HubError: the path is absolute, empty or leaves the repository.
    """
    if any(part in ("", ".", "..", ".git") for part in path.removesuffix("/").split("/")) or "\0" in path:
        raise bad_request(f"not a valid path in a repository: {path!r}")
    return path


def _read(changes: Changes, key: str, value: dict[str, Any], contents: Contents) -> None:
    if key == "header":
        changes.title, changes.message = value["summary"], value.get("description") or ""
        changes.parent = value.get("parentCommit")
        return
    path = checked_path(value["path"])
    if key == "file":
        raw = value["content"]
        content = base64.b64decode(raw, validate=True) if value.get("encoding") == "base64" else raw.encode()
        changes.steps.append((path, contents.add(content)))
    elif key == "lfsFile":
        changes.steps.append((path, contents.large(value["oid"])))
    elif key in ("deletedFile", "deletedFolder"):
        changes.steps.append((path.rstrip("/") + ("/" if key == "deletedFolder" else ""), None))
    else:
        raise bad_request(f"unknown operation {key!r}")


def _delete_folder(tree: Tree, folder: str) -> None:
    inside = [path for path in tree if path.startswith(folder)]
    if not inside:
        raise entry_not_found(f"{folder}: A folder with this name doesn't exist")
    for path in inside:
        del tree[path]


async def _lines(body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield lines of any length. Every byte is copied at most twice, whatever the chunks of the body."""
    pending = bytearray()
    async for chunk in body:
        first, *others = chunk.split(b"\n")
        pending += first
        for following in others:
            if line := bytes(pending).strip():
                yield line
            pending = bytearray(following)
        if len(pending) > LONGEST_LINE:
            raise bad_request(f"a line of more than {LONGEST_LINE} bytes: upload large files by LFS")
    if line := bytes(pending).strip():
        yield line
