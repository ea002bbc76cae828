"""Read access to the model's repository on the Hub: checks of its contract, with errors converted for a probe."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wakee_common.files import sha256_of
from wakee_common.hub import Head, ModelHub, NotOnHubError, WrongHubAnswerError
from wakee_contract.model import CARD, ONNX, WEIGHTS

from wakee_health.errors import WrongAnswerError
from wakee_health.settings import HubSettings

VERSION_NAME = re.compile("[A-Za-z0-9._-]{1,100}")


class ModelRepository:
    """Client of one repository."""

    def __init__(self, settings: HubSettings, timeout_seconds: float, cache: Path) -> None:
        self.name, self._hub = settings.repository, ModelHub(settings, cache, timeout_seconds)

    def head(self) -> Head:
        """Return the newest commit of main.

        Raises:
            WrongAnswerError: the repository does not exist, or lacks files of the contract.
            ConfigurationError: the Hub rejects the token.
            UnavailableError: the Hub is unavailable.
        """
        head = self.contents()
        if missing := missing_files(head):
            raise WrongAnswerError(f"{', '.join(missing)} missing in the Hub's {self.name}")
        return head

    def contents(self) -> Head:
        """Like `head`, without the check of the files."""
        with _wrong_answers():
            return self._hub.main()

    def download(self, path: str, head: Head) -> Path:
        """Download a file of main, and check its digest if the Hub has one. Raises the same errors as `head`."""
        local = self.fetch(path, head)
        expected = head.digests.get(path)
        found = sha256_of(local)
        if expected and found != expected:
            raise WrongAnswerError(f"{path} on the Hub has the digest {found[:12]}, not {expected[:12]}")
        return local

    def fetch(self, path: str, head: Head) -> Path:
        """Like `download`, without the check of the digest."""
        with _wrong_answers():
            return self._hub.download(path, head.commit)

    def version(self, head: Head) -> str | None:
        """Return the model version on main, from its `config.json`; None for a model that is not ours."""
        with _wrong_answers():
            return version_name(self._hub.version(head))


def missing_files(head: Head) -> list[str]:
    """Return the files of the contract that are missing on main."""
    missing = [name for name in (ONNX, CARD) if name not in head.files]
    return missing + ([] if set(WEIGHTS) & set(head.files) else [" or ".join(WEIGHTS)])


def version_name(value: object) -> str | None:
    """Return the value if it can be the name of one of our versions; otherwise None."""
    return value if isinstance(value, str) and VERSION_NAME.fullmatch(value) else None


@contextmanager
def _wrong_answers() -> Iterator[None]:
    """Convert missing files into wrong responses, because for a probe a retry may help."""
    try:
        yield
    except (NotOnHubError, WrongHubAnswerError) as error:
        raise WrongAnswerError(str(error)) from error
