"""The model's repository on the Hub: contents of its branches, and idempotent commits.

Only for images that have huggingface_hub, which is imported at its first use because the import takes half a second.
"""

import functools
import json
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import Field, SecretStr
from wakee_contract.model import CONFIG, MAIN, ONNX, PROMOTED, PUBLIC_HUB

from wakee_common.errors import ConfigurationError, UnavailableError
from wakee_common.hub_errors import (
    ConflictError,
    NotOnHubError,
    RepositoryNotVisibleError,
    WrongHubAnswerError,
    translated,
)
from wakee_common.settings import HTTP_ADDRESS, Settings
from wakee_common.startup import retry_refused

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

__all__ = ["ConflictError", "Head", "HubSettings", "ModelHub", "NotOnHubError", "WrongHubAnswerError"]

logger = logging.getLogger(__name__)

ANSWER_SECONDS = 60.0
"""Timeout of a network operation for which the Hub's client sets none."""


class HubSettings(Settings):
    """The Hugging Face Hub, or a compatible server."""

    repository: str = Field(
        alias="HF_MODEL_REPO",
        pattern=r"^([\w.-]+/)?[\w.-]+$",
        description="The model's repository, namespace/name, without the Hub's address.",
    )
    token: SecretStr = Field(SecretStr(""), alias="HF_TOKEN", description="Needed for private repositories only.")
    endpoint: str = Field(
        PUBLIC_HUB, alias="HF_ENDPOINT", pattern=HTTP_ADDRESS, description="Address of the Hub, http(s)://host."
    )


@dataclass(frozen=True)
class Head:
    """The newest commit of main.

    Attributes:
        commit: The commit id.
        files: Names of the files, sorted.
        digests: SHA-256 of the files that the Hub stores as LFS files, by name.
    """

    commit: str
    files: tuple[str, ...]
    digests: dict[str, str] = field(default_factory=dict)


class ModelHub:
    """Client of one repository.

    Args:
        settings: Repository, endpoint and token.
        cache: Folder for downloads.
        seconds: Timeout of `main`; None: `ANSWER_SECONDS`.
    """

    def __init__(self, settings: HubSettings, cache: Path, seconds: float | None = None) -> None:
        from huggingface_hub import HfApi

        configure_client()
        self.repository, self.endpoint = settings.repository, settings.endpoint
        self._api = HfApi(endpoint=settings.endpoint, token=settings.token.get_secret_value() or False)
        self._cache, self._seconds = cache, seconds

    def visible_main(self) -> Head | None:
        """Return the newest commit of main; None if the repository does not exist or is hidden from the token.

        `ensure_repository` distinguishes these two cases.
        """
        try:
            return self.main()
        except RepositoryNotVisibleError:
            return None

    def main(self) -> Head:
        """Return the newest commit of main.

        Raises:
            RepositoryNotVisibleError: the repository does not exist, or is hidden from the token. This does not mean
                that there is no model in production.
            NotOnHubError: the repository has no branch main.
        """
        with translated(self.repository):
            info = self._api.model_info(self.repository, revision=MAIN, files_metadata=True, timeout=self._seconds)
        files = info.siblings or []
        digests = {file.rfilename: str(file.lfs.sha256) for file in files if file.lfs}
        return Head(str(info.sha), tuple(sorted(file.rfilename for file in files)), digests)

    def config(self, revision: str) -> dict[str, Any]:
        """Return the `config.json` of a revision; empty if it is missing or not a valid JSON object."""
        try:
            config = json.loads(self.download(CONFIG, revision).read_text())
        except RepositoryNotVisibleError:
            raise
        except (NotOnHubError, ValueError, RecursionError):
            return {}
        return config if isinstance(config, dict) else {}

    def version(self, head: Head) -> str | None:
        """Return the model version in a commit, from its `config.json`; None for a model that is not ours."""
        if CONFIG not in head.files:
            return None
        version = self.config(head.commit).get("version")
        return version if isinstance(version, str) else None

    def main_holds(self, version: str) -> bool:
        """Return whether main still holds this version. A late retry must not undo a later promotion or a rollback."""
        held = self.version(self.main())
        if held != version:
            logger.warning("production was not changed: main now contains %s", held or "a model of unknown version")
        return held == version

    def download(self, path: str, revision: str) -> Path:
        """Download a file of a revision and return its local path.

        Raises:
            NotOnHubError: the file does not exist.
        """
        with translated(f"{self.repository}/{path} at {revision}"):
            return Path(self._api.hf_hub_download(self.repository, path, revision=revision, cache_dir=self._cache))

    def files(self, revision: str) -> dict[str, str]:
        """Return the blob ids of a revision's files, by path. Raises the same errors as `download`."""
        from huggingface_hub.hf_api import RepoFile

        with translated(f"{self.repository} at {revision}"):
            entries = list(self._api.list_repo_tree(self.repository, recursive=True, revision=revision))
        return {entry.path: entry.blob_id for entry in entries if isinstance(entry, RepoFile)}

    def ensure_repository(self, *, private: bool) -> bool:
        """Create the repository if it does not exist; return whether it was created.

        Raises:
            ConfigurationError: the repository exists but is hidden from the token, or the token may not create it.
        """
        if self.visible_main() is not None:
            return False
        try:
            with translated(self.repository):
                self._api.create_repo(self.repository, exist_ok=False, private=private or None)
        except ConflictError as error:
            raise ConfigurationError(
                f"Cannot access {self.repository} on the Hub: it exists (the Hub did not create it: {error}), but "
                "is hidden from HF_TOKEN. Give this token read and write access to it, or correct HF_MODEL_REPO"
            ) from error
        logger.info("created the repository %s on the Hub", self.repository)
        return True

    def check_token(self) -> None:
        """Check that the token belongs to an account.

        Raises:
            ConfigurationError: the token is invalid.
        """
        with translated(f"the account of HF_TOKEN at {self.endpoint}"):
            self._api.whoami()

    def check_writable(self) -> None:
        """Check that the token may write to the repository.

        Raises:
            RepositoryNotVisibleError: the repository does not exist, or is hidden from the token.
            ConfigurationError: the token may not write to it.
        """
        with translated(f"write access to {self.repository}"):
            self._api.auth_check(self.repository, write=True)

    def ensure_branch(self, branch: str) -> None:
        """Create a branch from main if it does not exist."""
        with translated(branch):
            self._api.create_branch(self.repository, branch=branch, exist_ok=True)

    def ensure_tag(self, tag: str, commit: str) -> None:
        """Tag a commit if the tag does not exist."""
        with translated(tag):
            self._api.create_tag(self.repository, tag=tag, revision=commit, exist_ok=True)

    def find_commit(self, branch: str, title: str) -> str | None:
        """Return the id of the commit with this title on a branch; None if there is none."""
        try:
            with translated(branch):
                commits = self._api.list_repo_commits(self.repository, revision=branch)
        except RepositoryNotVisibleError:
            raise
        except NotOnHubError:
            return None
        return next((commit.commit_id for commit in commits if commit.title == title), None)

    def title(self, revision: str) -> str:
        """Return the title of a revision's newest commit."""
        with translated(self.repository):
            return str(self._api.list_repo_commits(self.repository, revision=revision)[0].title)

    def commit_before_versions(self) -> str | None:
        """Return the commit on main right before the first promotion, if it holds an ONNX model; otherwise None."""
        with translated(self.repository):
            commits = list(reversed(self._api.list_repo_commits(self.repository, revision=MAIN)))
        first = next((at for at, commit in enumerate(commits) if commit.title.endswith(PROMOTED)), 0)
        before = str(commits[first - 1].commit_id) if first else None
        return before if before and ONNX in self.files(before) else None

    def commit(
        self,
        branch: str,
        title: str,
        description: str,
        operations: list["CommitOperationAdd | CommitOperationDelete"],
        parent: str | None,
    ) -> str:
        """Commit all operations at once; return the commit id.

        Raises:
            ConflictError: the branch has commits after `parent`.
            UnavailableError: another commit was made at the same time, and no `parent` was given. A retry may succeed.
        """
        try:
            with translated(f"{self.repository} on {branch}"):
                made = self._api.create_commit(
                    self.repository,
                    operations,
                    commit_message=title,
                    commit_description=description,
                    revision=branch,
                    parent_commit=parent,
                )
        except ConflictError as error:
            if parent is not None:
                raise
            raise UnavailableError(f"another commit was made in the meantime: {error}") from error
        logger.info("commit %s on %s: %s", made.oid, branch, title)
        return str(made.oid)

    def url(self, path: str, revision: str) -> str:
        """Return the download URL of a file in a revision."""
        return f"{self.endpoint.rstrip('/')}/{self.repository}/resolve/{revision}/{path}"


def configure_client() -> None:
    """Make all calls of the Hub library, including timm's downloads, use `_client`."""
    from huggingface_hub import set_client_factory

    set_client_factory(_client)


def _client() -> Any:
    """Return the Hub library's HTTP client with default timeouts and with retries of refused connections at startup."""
    from huggingface_hub.utils._http import default_client_factory  # its event hooks are not in the public API

    client: Any = default_client_factory()
    client.event_hooks["request"].append(_limit_silence)
    client.send = functools.partial(retry_refused, client.send)
    return client


def _limit_silence(request: Any) -> None:
    limits = request.extensions["timeout"]
    request.extensions["timeout"] = {what: limit or ANSWER_SECONDS for what, limit in limits.items()}
