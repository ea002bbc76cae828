"""What a probe says when a service answers, but not as it should."""

from typing import ClassVar

from wakee_common.errors import WakeeError


class WrongAnswerError(WakeeError):
    """A service answers something that it should not; a retry may help, e.g. in the middle of a deployment."""


class FailedTestsError(WakeeError):
    """Tests of the suite failed; the probes before it were tried again already, so it is told at once."""

    exit_code: ClassVar[int] = 2


class CriticalCheckError(WakeeError):
    """The summary's verdict: a check that matters has failed. Summing up again would change nothing."""

    exit_code: ClassVar[int] = 2
