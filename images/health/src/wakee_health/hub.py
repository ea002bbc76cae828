"""The model's repository on the Hub, read only."""

import functools
import hashlib
import json
import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from huggingface_hub import HfApi, set_client_factory
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils._http import default_client_factory  # its hooks are nowhere else
from wakee_common.errors import ConfigurationError, UnavailableError, WakeeError
from wakee_common.startup import retry_refused

from wakee_health.errors import WrongAnswerError, one_line
from wakee_health.settings import HubSettings

logger = logging.getLogger(__name__)

MAIN = "main"
VERSION_NAME = re.compile("[A-Za-z0-9._-]{1,100}")
ONNX, CONFIG, CARD = "model.onnx", "config.json", "README.md"
WEIGHTS = ("model.safetensors", "pytorch_model.bin")


@dataclass(frozen=True)
class Head:
    """The newest commit of main: its files, and the digests (sha256) of those that the Hub keeps as large files."""

    commit: str
    files: tuple[str, ...]
    digests: dict[str, str]

    @property
    def missing(self) -> list[str]:
        """The files of the contract that main lacks."""
        missing = [name for name in (ONNX, CARD) if name not in self.files]
        return missing + ([] if set(WEIGHTS) & set(self.files) else [" or ".join(WEIGHTS)])


class ModelRepository:
    """One repository."""

    def __init__(self, settings: HubSettings, timeout_seconds: float, cache: Path) -> None:
        set_client_factory(_client)
        self.name, self._cache, self._timeout = settings.repository, cache, timeout_seconds
        self._api = HfApi(endpoint=settings.endpoint, token=settings.token.get_secret_value() or False)

    def head(self) -> Head:
        """The state of main.

        Raises:
            WrongAnswerError: no such repository, or one without the files of the contract.
            ConfigurationError: the Hub refuses the token.
            UnavailableError: it does not answer.
        """
        head = self.contents()
        if head.missing:
            raise WrongAnswerError(f"the Hub's {self.name} lacks {', '.join(head.missing)}")
        return head

    def contents(self) -> Head:
        """As `head`, whichever files there are."""
        with translated(self.name):
            info = self._api.model_info(self.name, revision=MAIN, files_metadata=True, timeout=self._timeout)
        siblings = info.siblings or []
        files = tuple(sorted(file.rfilename for file in siblings))
        return Head(str(info.sha), files, {f.rfilename: str(f.lfs.sha256) for f in siblings if f.lfs})

    def download(self, path: str, head: Head) -> Path:
        """A file of main, its digest checked where the Hub tells one. Raises as `head`."""
        local = self.fetch(path, head)
        expected = head.digests.get(path)
        found = sha256(local)
        if expected and found != expected:
            raise WrongAnswerError(f"{path} on the Hub has the digest {found[:12]}, not {expected[:12]}")
        return local

    def fetch(self, path: str, head: Head) -> Path:
        """As `download`, whatever the digest."""
        with translated(f"{self.name}/{path}"):
            return Path(self._api.hf_hub_download(self.name, path, revision=head.commit, cache_dir=self._cache))

    def version(self, head: Head) -> str | None:
        """Which of our versions main holds, by its `config.json`; None for a model that is not ours."""
        if CONFIG not in head.files:
            return None
        try:
            config: Any = json.loads(self.download(CONFIG, head).read_text())
        except (ValueError, RecursionError):
            return None
        return version_name(config.get("version")) if isinstance(config, dict) else None


def _client() -> Any:
    """The Hub library's own HTTP client, which retries what is refused at startup."""
    client: Any = default_client_factory()
    client.send = functools.partial(retry_refused, client.send)
    return client


def version_name(value: object) -> str | None:
    """The name of one of our versions; None for what cannot be one, whoever says it."""
    return value if isinstance(value, str) and VERSION_NAME.fullmatch(value) else None


def sha256(path: Path) -> str:
    """The digest of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Turn the client's errors into ours."""
    try:
        yield
    except WakeeError:
        raise
    except Exception as error:  # its HTTP library's errors are no OSError, and that library is not ours to name
        raise _ours(what, error) from error


def _ours(what: str, error: Exception) -> WakeeError:
    if isinstance(error, LocalEntryNotFoundError):
        return UnavailableError(f"the Hub cannot be reached for {what}: {_line(error)}")
    if isinstance(error, EntryNotFoundError | RepositoryNotFoundError | RevisionNotFoundError):
        return WrongAnswerError(f"not on the Hub: {what}: {_line(error)}")
    if isinstance(error, HFValidationError):
        return ConfigurationError(f"HF_MODEL_REPO is no repository's name: {_line(error)}")
    if isinstance(error, HfHubHTTPError) and error.response.status_code in (401, 403):
        return ConfigurationError(f"the Hub refuses us for {what} ({error.response.status_code}): check HF_TOKEN")
    if isinstance(error, HfHubHTTPError):
        return UnavailableError(f"the Hub fails on {what}: {_line(error)}")
    if isinstance(error, KeyError | TypeError | ValueError | AttributeError):  # the client stumbled over the answer
        return WrongAnswerError(f"the Hub's answer for {what} is not a Hub's: {_line(error)}")
    return UnavailableError(f"the Hub cannot be reached for {what}: {_line(error)}")


def _line(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}", 200)
