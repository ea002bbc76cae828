"""Convert the errors of the Hub's client into ours: missing, not permitted, or temporary."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from wakee_common.errors import BadInputError, ConfigurationError, UnavailableError, WakeeError, one_line
from wakee_common.refusals import HUB, refusal
from wakee_common.refusals import ConflictError as ConflictError

if TYPE_CHECKING:
    from huggingface_hub.errors import HfHubHTTPError

HTTP_UNAUTHORIZED = 401
ASK_FOR_ACCESS = "Request access on the repository's page with the account of HF_TOKEN"


class NotOnHubError(BadInputError):
    """The repository, revision or file does not exist."""


class RepositoryNotVisibleError(NotOnHubError):
    """The repository does not exist, or is hidden from the token. The Hub's response is the same in both cases."""


class WrongHubAnswerError(UnavailableError):
    """The server at the Hub's address is not a Hub."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Convert the client's errors into ours.

    Args:
        what: What is requested, for the message.
    """
    try:
        yield
    except WakeeError:
        raise
    except Exception as error:  # the errors of its HTTP library are not OSErrors, and we do not depend on it
        raise _ours(what, error) from error


def _ours(what: str, error: Exception) -> WakeeError:
    from huggingface_hub import errors

    if isinstance(error, errors.LocalEntryNotFoundError):
        return UnavailableError(f"the Hub cannot be reached for {what}: {_line(error)}")
    if isinstance(error, errors.RepositoryNotFoundError):
        return _not_visible(what, error)
    if isinstance(error, errors.EntryNotFoundError | errors.RevisionNotFoundError):
        return NotOnHubError(f"not on the Hub: {what}: {_line(error)}")
    if isinstance(error, errors.HFValidationError):
        return ConfigurationError(f"HF_MODEL_REPO is not a valid repository name: {_line(error)}")
    if isinstance(error, errors.HfHubHTTPError):
        status = error.response.status_code
        return refusal(HUB, str(status), f"{status}: {_said(error)}", what)
    if isinstance(error, KeyError | TypeError | ValueError | AttributeError):  # the client cannot parse the response
        return WrongHubAnswerError(f"the answer for {what} is not from a Hub: {_line(error)}")
    return UnavailableError(f"the Hub cannot be reached for {what}: {_line(error)}")


def _not_visible(what: str, error: "HfHubHTTPError") -> WakeeError:
    """Convert the client's 'not found': gated, not permitted, or not visible. Only the last may mean missing."""
    from huggingface_hub.errors import GatedRepoError

    status, said = error.response.status_code, _said(error)
    if isinstance(error, GatedRepoError):
        return ConfigurationError(f"the Hub denied access to {what} ({status}: {said}). {ASK_FOR_ACCESS}")
    if status == HTTP_UNAUTHORIZED:
        return ConfigurationError(
            f"the Hub denied access to {what} ({status}: {said}). Check HF_TOKEN, and that HF_MODEL_REPO exists"
        )
    return RepositoryNotVisibleError(
        f"{what} does not exist on the Hub, or is hidden from the account of HF_TOKEN ({status}: {said}). "
        "Check HF_MODEL_REPO, and that HF_TOKEN may read this repository"
    )


def _said(error: "HfHubHTTPError") -> str:
    return one_line(error.server_message or _line(error))


def _line(error: Exception) -> str:
    return one_line(f"{type(error).__name__}: {error}")
