"""The stage runner: runs a stage function as the command of a pod.

A stage function takes typed inputs and returns a `StageResult`. The runner configures logging, measures the time and
writes the run record:

* to `/airflow/xcom/return.json`, for Airflow (only where the XCom volume is mounted);
* to `r2://<bucket>/runs/<dag_id>/<run_id>/<task_id>/result.json`, which is kept;
* on failure with `status: "failed"`, and with the cause in one line in `/dev/termination-log`.

Exit codes: 0: success. 1: failure, a retry may help. 2: failure, a retry will not help.
"""

import functools
import json
import logging
import math
import resource
import signal
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any, Literal, NoReturn, ParamSpec, TypeVar

import typer
from pydantic import BaseModel, ConfigDict

from wakee_common import startup, telemetry
from wakee_common.errors import BadInputError, InterruptedStageError, WakeeError
from wakee_common.logs import configure_logging
from wakee_common.redaction import redact, redacted
from wakee_common.settings import R2Settings, RunContext, load
from wakee_common.storage import ObjectStore

logger = logging.getLogger(__name__)

P = ParamSpec("P")
R = TypeVar("R", bound="StageResult")

XCOM_FILE = Path("/airflow/xcom/return.json")
TERMINATION_LOG = Path("/dev/termination-log")
LARGEST_OUTCOME = 3072
"""Maximum size of a stage's result as JSON, in bytes. With the run's context, the run record stays under 4 KB."""
LONGEST_CAUSE = 1000


class StageResult(BaseModel):
    """Result that a stage passes to the next one: addresses, digests, counts and metrics, but no data and no secrets.

    Attributes:
        status: Every status except `success` skips all downstream tasks: there is not enough data, an earlier run has
            done the same work, or nothing is to be published.
    """

    model_config = ConfigDict(frozen=True)

    status: Literal["success", "insufficient_data", "already_done", "not_published"] = "success"


def stage(app: typer.Typer, *, record_required: bool = True) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Register a stage function as a command of `app`, executed by the runner.

    Args:
        app: The image's command line.
        record_required: Whether the stage fails if its run record cannot be written to R2. False only for checks
            of R2 itself.
    """

    def register(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def command(*args: P.args, **kwargs: P.kwargs) -> NoReturn:
            def call() -> R:
                _refuse_no_numbers(kwargs)
                return function(*args, **kwargs)

            raise typer.Exit(run(function.__name__, call, record_required))

        app.command(name=function.__name__.replace("_", "-"))(command)
        return function

    return register


def _refuse_no_numbers(flags: Mapping[str, object]) -> None:
    """Reject NaN and infinity. Ranges do not exclude NaN, because all comparisons with it are false.

    Raises:
        BadInputError: a flag is NaN or infinite.
    """
    for name, value in flags.items():
        if isinstance(value, float) and not math.isfinite(value):
            raise BadInputError(f"--{name.replace('_', '-')} {value} is not a finite number")


def run_context(stage_name: str = "") -> RunContext:
    """Return the context of this process, with the stage's name as task id if Airflow has not set one."""
    context = load(RunContext)
    return context if context.task_id else context.model_copy(update={"task_id": stage_name})


def run(name: str, call: Callable[[], StageResult], record_required: bool = True) -> int:
    """Run one stage function and write its run record; return the exit code of the process.

    SIGTERM raises `InterruptedStageError` in the function. After the function, SIGTERM only stops the retries of
    `startup`, so that an interrupted stage still writes its run record.
    """
    configure_logging()
    startup.allow_retries(True)
    before = signal.getsignal(signal.SIGTERM)
    try:
        return _run_and_record(name, call, record_required)
    finally:
        signal.signal(signal.SIGTERM, before)


def _run_and_record(name: str, call: Callable[[], StageResult], record_required: bool) -> int:
    started, clock = datetime.now(UTC), time.monotonic()
    context, outcome, exit_code = _outcome(name, call)
    record = outcome | {
        "stage": name,
        "run": context.model_dump(),
        "started_at": started.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - clock, 2),
        "peak_memory_mib": _peak_memory_mib(),
    }
    exit_code = _write_record(record, context, exit_code, record_required)
    telemetry.push(context, record)
    logger.info("%s ends: %s after %.1f s", name, record["status"], record["seconds"])
    return exit_code


def _peak_memory_mib() -> int:
    """Return the peak resident memory of this process or of its largest child process, in MiB."""
    users = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return max(resource.getrusage(user).ru_maxrss for user in users) // 1024


def _outcome(name: str, call: Callable[[], StageResult]) -> tuple[RunContext, dict[str, Any], int]:
    """Run the function; return the context, the JSON result and the exit code (1 for unknown errors)."""
    context = RunContext.model_construct(task_id=name)
    try:
        signal.signal(signal.SIGTERM, _interrupt)
        context = run_context(name)
        logger.info("%s starts: dag=%s run=%s attempt=%d", name, context.dag_id, context.run_id, context.try_number)
        return context, _checked(call().model_dump(mode="json")), 0
    except (WakeeError, InterruptedStageError) as error:
        logger.error("%s", redact(str(error)))
        return context, _failure(error), error.exit_code
    except Exception as error:
        logger.exception("unexpected error")
        return context, _failure(error), 1
    finally:
        signal.signal(signal.SIGTERM, _end_soon)


def _checked(outcome: dict[str, Any]) -> dict[str, Any]:
    """Return the outcome unchanged if XCom can carry it.

    Raises:
        ValueError: it contains NaN or infinity, which JSON does not have, or is too large.
    """
    size = len(json.dumps(outcome, allow_nan=False))
    if size > LARGEST_OUTCOME:
        raise ValueError(f"a result of {size} bytes is too large for XCom ({LARGEST_OUTCOME}): return an address")
    return outcome


def _failure(error: BaseException) -> dict[str, Any]:
    name = "" if isinstance(error, WakeeError | InterruptedStageError) else f"{type(error).__name__}: "
    cause = " ".join(_printable(redact(f"{name}{error}")).split())[:LONGEST_CAUSE]
    return {"status": "failed", "cause": cause, "error": type(error).__name__}


def _printable(text: str) -> str:
    """Replace unprintable characters by spaces: databases reject some (NUL, surrogates), terminals execute others."""
    return "".join(char if char.isprintable() else " " for char in text)


def _write_record(record: dict[str, Any], context: RunContext, exit_code: int, record_required: bool) -> int:
    """Write the run record to R2, then the cause and the result to the pod; return the exit code.

    A result may contain a library's message, so secrets are redacted in the whole run record.
    """
    record |= redacted(record)
    try:
        _save_to_r2(json.dumps(record), context)
    except Exception as error:
        logger.error("cannot write the run record to R2: %s", redact(str(error)))
        if exit_code == 0 and record_required:
            record |= _failure(error)
            exit_code = getattr(error, "exit_code", 1)
    if exit_code:
        _write_if_possible(TERMINATION_LOG, record["cause"])
    if XCOM_FILE.parent.is_dir():
        part = XCOM_FILE.with_suffix(".part")
        part.write_text(json.dumps(record))
        part.replace(XCOM_FILE)
    return exit_code


def _save_to_r2(text: str, context: RunContext) -> None:
    store = ObjectStore(load(R2Settings))
    store.put_bytes(context.folder(store.root) / "result.json", text.encode(), "application/json")


def _write_if_possible(path: Path, text: str) -> None:
    """Write the text if the file exists. The termination log exists only in a pod."""
    if path.exists():
        path.write_text(text)


def _end_soon(_signal: int, _frame: FrameType | None) -> None:
    startup.allow_retries(False)


def _interrupt(_signal: int, _frame: FrameType | None) -> NoReturn:
    startup.allow_retries(False)
    raise InterruptedStageError("the pod was stopped (SIGTERM) before the stage completed")
