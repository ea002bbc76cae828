"""The few ways in which a stage fails. Raised where the cause is known, caught once, in the runner."""

from typing import ClassVar

from wakee_common.redaction import redact


class WakeeError(Exception):
    """A failure whose message is one line that an operator can act on.

    Attributes:
        exit_code: 1 when a retry may help, 2 when it will not.
    """

    exit_code: ClassVar[int] = 1


class UnavailableError(WakeeError):
    """A service is down, slow or refuses for now; a retry may help."""


class InterruptedStageError(BaseException):
    """The pod was told to stop (SIGTERM) before the stage was done; a retry may help.

    As `KeyboardInterrupt`, no `Exception`: whoever catches whatever goes wrong in a library must not catch this.
    """

    exit_code: ClassVar[int] = 1


class ConfigurationError(WakeeError):
    """A setting is missing or wrong; a retry will not help."""

    exit_code = 2


class BadInputError(WakeeError):
    """The input data cannot be used; a retry will not help."""

    exit_code = 2


def one_line(text: object, longest: int = 300) -> str:
    """A text, or that of an error, in one line of bounded length, without secrets."""
    return " ".join(redact(str(text)).split())[:longest]
