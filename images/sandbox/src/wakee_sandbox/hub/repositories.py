"""All repositories of a data directory, by their `namespace/name`."""

import shutil
import threading
import uuid
from pathlib import Path

from wakee_sandbox.hub.errors import conflict, repository_not_found
from wakee_sandbox.hub.files import Contents
from wakee_sandbox.hub.repository import Repository


class Hub:
    """All repositories of a data directory, for one process at a time."""

    def __init__(self, folder: Path) -> None:
        self.contents = Contents(folder / "contents")
        self._folder = folder / "repositories"
        self._bin = folder / "bin"
        self._open: dict[str, Repository] = {}
        self._turn = threading.Lock()
        shutil.rmtree(self._bin, ignore_errors=True)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._bin.mkdir()

    def repository(self, identifier: str) -> Repository:
        """Return a repository by its `namespace/name`.

        Raises:
            HubError: the repository does not exist.
        """
        with self._turn:
            repository = self._get(identifier)
        if not self._exists(identifier):
            raise repository_not_found()
        return repository

    def create(self, identifier: str, private: bool, author: str) -> Repository:
        """Create a repository with a first commit.

        Raises:
            HubError: the name is invalid, or taken.
        """
        with self._turn:
            if self._exists(identifier):
                raise conflict("You already created this model repo")
            repository = self._get(identifier)
            repository.found(private, author)
            return repository

    def delete(self, identifier: str) -> None:
        """Delete a repository with all its commits.

        Raises:
            HubError: the repository does not exist.
        """
        with self._turn:
            if not self._exists(identifier):
                raise repository_not_found()
            self._open.pop(identifier, None)
            grave = self._bin / uuid.uuid4().hex
            self._path(identifier).rename(grave)
        shutil.rmtree(grave)

    def identifiers(self) -> list[str]:
        """Every repository's `namespace/name`."""
        return sorted(f"{file.parts[-3]}/{file.parts[-2]}" for file in self._folder.glob("*/*/repository.json"))

    def _get(self, identifier: str) -> Repository:
        """Return the single object of a repository, which holds its lock."""
        if identifier not in self._open:
            self._open[identifier] = Repository(self._path(identifier), identifier, self.contents)
        return self._open[identifier]

    def _exists(self, identifier: str) -> bool:
        return (self._path(identifier) / "repository.json").exists()

    def _path(self, identifier: str) -> Path:
        parts = identifier.split("/")
        if len(parts) != 2 or not all(part and part[0] not in ".-" and _plain(part) for part in parts):
            raise repository_not_found()
        return self._folder / parts[0] / parts[1]


def _plain(name: str) -> bool:
    return len(name) <= 96 and all(letter.isascii() and (letter.isalnum() or letter in "._-") for letter in name)
