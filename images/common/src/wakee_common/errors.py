"""Errors of a stage. They are raised where the cause is known and caught once, in the stage runner."""

from typing import ClassVar

from wakee_common.redaction import redact


class WakeeError(Exception):
    """A failure whose message is one line that an operator can act on.

    Attributes:
        exit_code: 1 when a retry may help, 2 when it will not.
    """

    exit_code: ClassVar[int] = 1


class UnavailableError(WakeeError):
    """A service is down, slow or temporarily rejects requests; a retry may help."""


class InterruptedStageError(BaseException):
    """The pod received SIGTERM before the stage was done; a retry may help.

    Like `KeyboardInterrupt`, it is not an `Exception`, so that code which catches all errors of a library does not
    catch it.
    """

    exit_code: ClassVar[int] = 1


class ConfigurationError(WakeeError):
    """A setting is missing or wrong; a retry will not help."""

    exit_code = 2


class BadInputError(WakeeError):
    """The input data cannot be used; a retry will not help."""

    exit_code = 2


def one_line(text: object, longest: int = 300) -> str:
    """Return a text, or an error's message, as one line of at most `longest` characters, without secrets."""
    return " ".join(redact(str(text)).split())[:longest]
