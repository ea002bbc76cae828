"""The model's repository on the Hub, read only: its contract, and its errors as those of a probe."""

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
    """One repository."""

    def __init__(self, settings: HubSettings, timeout_seconds: float, cache: Path) -> None:
        self.name, self._hub = settings.repository, ModelHub(settings, cache, timeout_seconds)

    def head(self) -> Head:
        """The state of main.

        Raises:
            WrongAnswerError: no such repository, or one without the files of the contract.
            ConfigurationError: the Hub refuses the token.
            UnavailableError: it does not answer.
        """
        head = self.contents()
        if missing := missing_files(head):
            raise WrongAnswerError(f"the Hub's {self.name} lacks {', '.join(missing)}")
        return head

    def contents(self) -> Head:
        """As `head`, whichever files there are."""
        with _wrong_answers():
            return self._hub.main()

    def download(self, path: str, head: Head) -> Path:
        """A file of main, its digest checked where the Hub names one. Raises as `head`."""
        local = self.fetch(path, head)
        expected = head.digests.get(path)
        found = sha256_of(local)
        if expected and found != expected:
            raise WrongAnswerError(f"{path} on the Hub has the digest {found[:12]}, not {expected[:12]}")
        return local

    def fetch(self, path: str, head: Head) -> Path:
        """As `download`, whatever the digest."""
        with _wrong_answers():
            return self._hub.download(path, head.commit)

    def version(self, head: Head) -> str | None:
        """Which of our versions main holds, by its `config.json`; None for a model that is not ours."""
        with _wrong_answers():
            return version_name(self._hub.version(head))


def missing_files(head: Head) -> list[str]:
    """The files of the contract that main lacks."""
    missing = [name for name in (ONNX, CARD) if name not in head.files]
    return missing + ([] if set(WEIGHTS) & set(head.files) else [" or ".join(WEIGHTS)])


def version_name(value: object) -> str | None:
    """The name of one of our versions; None for what cannot be one, whoever says it."""
    return value if isinstance(value, str) and VERSION_NAME.fullmatch(value) else None


@contextmanager
def _wrong_answers() -> Iterator[None]:
    """For a probe, what is not on the Hub is a wrong answer, which may be right on the next attempt."""
    try:
        yield
    except (NotOnHubError, WrongHubAnswerError) as error:
        raise WrongAnswerError(str(error)) from error
