"""Errors of the health check, in addition to those of `wakee_common`."""

from typing import ClassVar

from wakee_common.errors import WakeeError


class WrongAnswerError(WakeeError):
    """A service gives a wrong response; a retry may help, e.g. during a deployment."""


class FailedTestsError(WakeeError):
    """Tests of the suite failed. There is no retry, because the probes before it were already retried."""

    exit_code: ClassVar[int] = 2


class CriticalCheckError(WakeeError):
    """A critical check failed. A retry of the summary would not help."""

    exit_code: ClassVar[int] = 2
