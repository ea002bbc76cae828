"""Repositories on disk: commits as files, branches and tags as files that name a commit.

A commit takes effect when the file of its branch is replaced, by one rename. Files that a crash leaves before that are
unreferenced.
"""

import hashlib
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from wakee_contract.model import MAIN

from wakee_sandbox.hub.errors import (
    HubError,
    bad_request,
    conflict,
    entry_not_found,
    revision_not_found,
)
from wakee_sandbox.hub.files import ATTRIBUTES, Contents, Entry, write_whole

Tree = dict[str, Entry]
RefKind = Literal["branches", "tags"]


@dataclass(frozen=True)
class Commit:
    """A state of all files, with author, message and parent."""

    oid: str
    parent: str | None
    title: str
    message: str
    author: str
    date: str
    tree: Tree


class Repository:
    """One repository. Writers are serialized by a lock, readers do not wait."""

    def __init__(self, folder: Path, identifier: str, contents: Contents) -> None:
        self.identifier = identifier
        self._folder = folder
        self._contents = contents
        self._turn = threading.RLock()

    @property
    def settings(self) -> dict[str, str | bool]:
        """Its creation time, and whether it is private and gated (`auto` or `manual`)."""
        values: dict[str, str | bool] = json.loads((self._folder / "repository.json").read_text())
        return values

    def found(self, private: bool, author: str) -> None:
        """Initialize the repository: the first commit, and last the file that marks it as existing."""
        tree = {".gitattributes": self._contents.add(ATTRIBUTES.encode())}
        commit = self._write_commit(None, "initial commit", "", author, tree)
        self._point("branches", MAIN, commit.oid)
        settings = {"created_at": commit.date, "private": private}
        write_whole(self._folder / "repository.json", json.dumps(settings).encode())

    @property
    def namespace(self) -> str:
        """The part of its name before the slash."""
        return self.identifier.partition("/")[0]

    @property
    def gated(self) -> str | bool:
        """Who may download its files: everybody (False), or users with an approved request (`auto`, `manual`)."""
        return self.settings.get("gated", False)

    def configure(self, **changes: str | bool) -> None:
        """Change settings."""
        with self._turn:
            write_whole(self._folder / "repository.json", json.dumps(self.settings | changes).encode())

    def content(self, entry: Entry) -> bytes:
        """Read the content of a file."""
        return self._contents.path(entry.sha256).read_bytes()

    def resolve(self, revision: str) -> Commit:
        """Resolve a branch, a tag or a commit id to a commit.

        Raises:
            HubError: the revision does not exist.
        """
        for kind in ("branches", "tags"):
            name = revision.removeprefix("refs/heads/" if kind == "branches" else "refs/tags/")
            if (file := self._ref(kind, name)).is_file():
                return self._read(file.read_text())
        if set(revision) <= set("0123456789abcdef") and len(revision) == 40:
            return self._read(revision)
        raise revision_not_found(revision)

    def commit(
        self, branch: str, title: str, message: str, author: str, change: Callable[[Tree], Tree], parent: str | None
    ) -> Commit:
        """Add a commit to a branch.

        Args:
            branch: An existing branch.
            title: First line of the commit's message.
            message: The rest of the message.
            author: The author.
            change: Maps the tree of the branch's head to the new tree.
            parent: The expected head (or its first digits); None for any.

        Raises:
            HubError: the branch does not exist, or its head is another commit.
        """
        with self._turn:
            if not self._ref("branches", branch).is_file():
                raise revision_not_found(branch)
            head = self.resolve(f"refs/heads/{branch}")
            if parent and not head.oid.startswith(parent):
                raise HubError(412, f"A commit has happened since. Please refresh and try again: head is {head.oid}")
            commit = self._write_commit(head.oid, title, message, author, change(dict(head.tree)))
            self._point("branches", branch, commit.oid)
            return commit

    def history(self, revision: str) -> Iterator[Commit]:
        """Yield a commit and its ancestors, newest first."""
        commit: Commit | None = self.resolve(revision)
        while commit:
            yield commit
            commit = self._read(commit.parent) if commit.parent else None

    def refs(self, kind: RefKind) -> dict[str, str]:
        """The commit ids of all branches or tags, by name."""
        folder = self._folder / kind
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        return {unquote(file.name): file.read_text() for file in files if not file.name.startswith(".part-")}

    def add_ref(self, kind: RefKind, name: str, revision: str) -> None:
        """Create a branch or a tag.

        Raises:
            HubError: it exists already, or `revision` does not exist.
        """
        if not name or name.startswith((".", "/", "-")) or ".." in name or name.endswith(("/", ".lock")):
            raise bad_request(f"not a valid name of a branch or tag: {name!r}")
        with self._turn:
            target = self.resolve(revision)
            if self._ref(kind, name).exists():
                raise conflict(f"Reference already exists: {name}")
            self._point(kind, name, target.oid)

    def delete_ref(self, kind: RefKind, name: str) -> None:
        """Delete a branch or a tag. Its commits are kept.

        Raises:
            HubError: it does not exist, or it is the main branch.
        """
        if kind == "branches" and name == MAIN:
            raise HubError(403, "The main branch cannot be deleted")
        with self._turn:
            try:
                self._ref(kind, name).unlink()
            except FileNotFoundError:
                raise revision_not_found(name) from None

    def _ref(self, kind: str, name: str) -> Path:
        return self._folder / kind / quote(name, safe="")

    def _point(self, kind: str, name: str, oid: str) -> None:
        write_whole(self._ref(kind, name), oid.encode())

    def _write_commit(self, parent: str | None, title: str, message: str, author: str, tree: Tree) -> Commit:
        date = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        named = {path: asdict(entry) for path, entry in sorted(tree.items())}
        record = {"parent": parent, "title": title, "message": message, "author": author, "date": date, "tree": named}
        content = json.dumps(record, sort_keys=True).encode()
        oid = hashlib.sha1(b"commit" + content, usedforsecurity=False).hexdigest()
        write_whole(self._folder / "commits" / oid, content)
        return Commit(oid, parent, title, message, author, date, tree)

    def _read(self, oid: str) -> Commit:
        try:
            record = json.loads((self._folder / "commits" / oid).read_text())
        except FileNotFoundError:
            raise revision_not_found(oid) from None
        tree = {path: Entry(**entry) for path, entry in record.pop("tree").items()}
        return Commit(oid=oid, tree=tree, **record)


def entry_at(commit: Commit, path: str) -> Entry:
    """Return a file of a commit.

    Raises:
        HubError: the file does not exist.
    """
    if path not in commit.tree:
        raise entry_not_found(path)
    return commit.tree[path]
