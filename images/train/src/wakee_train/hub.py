"""The model's repository on the Hub: what its main branch holds, and commits that happen once."""

import functools
import json
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wakee_common.errors import BadInputError, ConfigurationError, UnavailableError, WakeeError
from wakee_common.startup import retry_refused

from wakee_train.settings import HubSettings

if TYPE_CHECKING:
    from huggingface_hub import CommitOperationAdd, CommitOperationDelete

logger = logging.getLogger(__name__)

MAIN, PROMOTED = "main", ": promoted"
ONNX, ONNX_INT8, SAFETENSORS, PICKLED, CONFIG, CARD = (
    "model.onnx",
    "model_int8.onnx",
    "model.safetensors",
    "pytorch_model.bin",
    "config.json",
    "README.md",
)


ANSWER_SECONDS = 60.0
"""How long the Hub may be silent; the client itself would wait for ever."""


class NotOnHubError(BadInputError):
    """No such repository, revision or file."""


@dataclass(frozen=True)
class Head:
    """The newest commit of main, and which of our versions it holds (None: none of ours)."""

    commit: str
    files: tuple[str, ...]
    version: str | None


class ModelHub:
    """One repository."""

    def __init__(self, settings: HubSettings, cache: Path) -> None:
        from huggingface_hub import HfApi

        configure_client()
        self.repository, self.endpoint, self._private = settings.repository, settings.endpoint, settings.private
        self._api = HfApi(endpoint=settings.endpoint, token=settings.token.get_secret_value())
        self._cache = cache

    def head(self) -> Head | None:
        """The state of main; None when there is no repository."""
        try:
            with _translated(self.repository):
                info = self._api.model_info(self.repository, revision=MAIN)
        except NotOnHubError:
            return None
        files = tuple(sorted(file.rfilename for file in info.siblings or []))
        return Head(str(info.sha), files, self._version(str(info.sha)) if CONFIG in files else None)

    def config(self, revision: str) -> dict[str, Any]:
        """The `config.json` of a revision; empty when there is none that we could read."""
        try:
            config = json.loads(self.download(CONFIG, revision).read_text())
        except (NotOnHubError, ValueError):
            return {}
        return config if isinstance(config, dict) else {}

    def download(self, path: str, revision: str) -> Path:
        """A file of a revision.

        Raises:
            NotOnHubError: there is none.
        """
        with _translated(f"{self.repository}/{path} at {revision}"):
            return Path(self._api.hf_hub_download(self.repository, path, revision=revision, cache_dir=self._cache))

    def files(self, revision: str) -> dict[str, str]:
        """A revision's files: name and digest of each. Raises as `download`."""
        from huggingface_hub.hf_api import RepoFile

        with _translated(f"{self.repository} at {revision}"):
            entries = list(self._api.list_repo_tree(self.repository, recursive=True, revision=revision))
        return {entry.path: entry.blob_id for entry in entries if isinstance(entry, RepoFile)}

    def ensure_repository(self) -> None:
        """Make the repository where it is missing."""
        with _translated(self.repository):
            self._api.create_repo(self.repository, exist_ok=True, private=self._private or None)

    def ensure_branch(self, branch: str) -> None:
        """Make a branch that starts at main, where it is missing."""
        with _translated(branch):
            self._api.create_branch(self.repository, branch=branch, exist_ok=True)

    def ensure_tag(self, tag: str, commit: str) -> None:
        """Put a tag on a commit, where it is missing."""
        with _translated(tag):
            self._api.create_tag(self.repository, tag=tag, revision=commit, exist_ok=True)

    def find_commit(self, branch: str, title: str) -> str | None:
        """The commit of a branch with this title, if any."""
        try:
            with _translated(branch):
                commits = self._api.list_repo_commits(self.repository, revision=branch)
        except NotOnHubError:
            return None
        return next((commit.commit_id for commit in commits if commit.title == title), None)

    def commit_before_versions(self) -> str | None:
        """The commit of main, with a model, onto which the first of our versions was promoted, if there is one."""
        with _translated(self.repository):
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
        """Commit all files at once; returns the commit.

        Raises:
            BadInputError: main is no longer at `parent`.
        """
        with _translated(f"{self.repository} on {branch}"):
            made = self._api.create_commit(
                self.repository,
                operations,
                commit_message=title,
                commit_description=description,
                revision=branch,
                parent_commit=parent,
            )
        logger.info("commit %s on %s: %s", made.oid, branch, title)
        return str(made.oid)

    def url(self, path: str, revision: str) -> str:
        """Where anyone finds a file of a revision."""
        return f"{self.endpoint.rstrip('/')}/{self.repository}/resolve/{revision}/{path}"

    def _version(self, revision: str) -> str | None:
        version = self.config(revision).get("version")
        return version if isinstance(version, str) else None


def configure_client() -> None:
    """Let all calls of the Hub library, timm's downloads included, use `_client`."""
    from huggingface_hub import set_client_factory

    set_client_factory(_client)


def _client() -> Any:
    """The Hub library's own HTTP client, which limits silence and retries what is refused at startup."""
    from huggingface_hub.utils._http import default_client_factory  # its hooks are nowhere else

    client: Any = default_client_factory()
    client.event_hooks["request"].append(_limit_silence)
    client.send = functools.partial(retry_refused, client.send)
    return client


def _limit_silence(request: Any) -> None:
    limits = request.extensions["timeout"]
    request.extensions["timeout"] = {what: limit or ANSWER_SECONDS for what, limit in limits.items()}


def publication_branch(version: str, promoted: bool) -> tuple[str, str]:
    """The branch of a version's commit, and the commit's title, by which a retry knows it."""
    return (MAIN, f"{version}{PROMOTED}") if promoted else (f"candidate/{version}", f"{version}: candidate")


def on_main(settings: HubSettings, version: str) -> bool:
    """Whether main still holds this version: a late retry must not undo a later promotion or a rollback."""
    with tempfile.TemporaryDirectory(prefix="wakee-train-") as name:
        head = ModelHub(settings, Path(name)).head()
    if head is None or head.version != version:
        logger.warning("main holds %s by now: production stays as it is", head.version if head else "nothing")
        return False
    return True


@contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turn the client's errors into ours."""
    try:
        yield
    except WakeeError:
        raise
    except Exception as error:  # its HTTP library's errors are no OSError, and that library is not ours to name
        raise _ours(what, error) from error


def _ours(what: str, error: Exception) -> WakeeError:
    from huggingface_hub import errors

    not_there = errors.EntryNotFoundError, errors.RepositoryNotFoundError, errors.RevisionNotFoundError
    if isinstance(error, errors.LocalEntryNotFoundError):
        return UnavailableError(f"the Hub cannot be reached for {what}: {_line(error)}")
    if isinstance(error, not_there):
        return NotOnHubError(f"not on the Hub: {what}: {_line(error)}")
    if isinstance(error, errors.HFValidationError):
        return ConfigurationError(f"HF_MODEL_REPO is no repository's name: {_line(error)}")
    if isinstance(error, errors.HfHubHTTPError):
        return _refusal(what, error.response.status_code, _line(error))
    if isinstance(error, KeyError | TypeError | ValueError | AttributeError):  # the client stumbled over the answer
        return UnavailableError(f"the Hub's answer for {what} is not a Hub's: {_line(error)}")
    return UnavailableError(f"the Hub cannot be reached for {what}: {_line(error)}")


def _refusal(what: str, status: int, said: str) -> WakeeError:
    if status in (401, 403):
        return ConfigurationError(f"the Hub refuses us for {what} ({status}): check HF_TOKEN")
    if status in (409, 412):
        return BadInputError(f"the Hub's state changed under us for {what}: evaluate again ({said})")
    return UnavailableError(f"the Hub fails on {what}: {said}")


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
