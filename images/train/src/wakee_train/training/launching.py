"""Launch the processes of a training by torchrun, and report a failure in one line.

The processes share the scratch folder, and therefore the page cache of the unpacked pictures.
"""

import logging
import os
import signal
import sys
from math import ceil
from pathlib import Path
from typing import Any, NoReturn

import torch
from torch.distributed.elastic.multiprocessing.api import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.launcher.api import LaunchConfig, elastic_launch
from wakee_common.errors import (
    BadInputError,
    ConfigurationError,
    InterruptedStageError,
    UnavailableError,
    WakeeError,
)
from wakee_common.storage import MissingObjectError

from wakee_train.settings import ProcessSettings
from wakee_train.training.process_group import ONE_NODE
from wakee_train.training.session import Job

logger = logging.getLogger(__name__)

JOB = "job.json"
SECONDS_FOR_A_CHECKPOINT = 150
"""Time from SIGTERM to SIGKILL. Longer than the pod's grace period. Bounds GPU processes that wait for a dead one."""
SAME_MOMENT = 3
"""Processes that end within this many seconds of each other have the same cause."""
OUT_OF_MEMORY = "OutOfMemoryError"
OURS: dict[str, type[WakeeError | InterruptedStageError]] = {
    kind.__name__: kind
    for kind in (BadInputError, ConfigurationError, InterruptedStageError, MissingObjectError, UnavailableError)
}


def number_of_processes(settings: ProcessSettings, batch_size: int) -> int:
    """The number of processes: the configured one, or one per GPU, but at least two pictures of a batch per process.

    Raises:
        ConfigurationError: the configured number exceeds the number of GPUs, on a machine with GPUs.
    """
    gpus = torch.cuda.device_count()
    wanted = settings.processes or max(1, gpus)
    if gpus and wanted > gpus:
        raise ConfigurationError(
            f"WAKEE_TRAINING_PROCESSES is {wanted}, but there are {gpus} GPUs. Use one process for each GPU"
        )
    count = max(1, min(wanted, batch_size // 2))
    if count < wanted:
        logger.warning(
            "batches of %d pictures are too small for %d processes: %d processes are used", batch_size, wanted, count
        )
    return count


def launch(job: Job, scratch: Path, count: int) -> int | None:
    """Run the training in `count` processes until all have ended.

    Returns:
        None if the training is done; after an out-of-memory error, the next micro-batch size to try, in pictures.

    Raises:
        InterruptedStageError: SIGTERM was received and forwarded, and the processes have written their checkpoint.
        WakeeError: the error that ended the processes.
    """
    (scratch / JOB).write_text(job.model_dump_json())
    logger.info("training with %d processes", count)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)}
    try:
        elastic_launch(_configuration(scratch, count), sys.executable)(
            "-m", "wakee_train.training.worker", str(scratch)
        )
    except SignalException as error:
        raise InterruptedStageError("stopped during training. A retry resumes from the checkpoint") from error
    except ChildFailedError as error:
        return _smaller(job, count, _root_cause(error.failures), error)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    return None


def _configuration(scratch: Path, count: int) -> LaunchConfig:
    for name, value in ONE_NODE.items():
        os.environ.setdefault(name, value)
    return LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=count,
        run_id="fine-tune",
        rdzv_backend="c10d",
        rdzv_endpoint="127.0.0.1:0",
        local_addr="127.0.0.1",
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(log_dir=str(scratch / "torchrun")),
        signals_to_handle="SIGTERM,SIGINT,SIGHUP",
        shutdown_timeout=SECONDS_FOR_A_CHECKPOINT,
    )


def _smaller(job: Job, count: int, failure: ProcessFailure, error: ChildFailedError) -> int:
    """Halve the micro-batch size after an out-of-memory error. Raises any other failure."""
    tried = min(job.micro_batch, ceil(job.settings.batch_size / count))
    if not _said(failure).startswith(OUT_OF_MEMORY) or tried == 1:
        _fail(failure, count, error)
    smaller = ceil(tried / 2)
    logger.warning("out of memory: restarting from the checkpoint with %d pictures at a time", smaller)
    return smaller


def _root_cause(failures: dict[int, ProcessFailure]) -> ProcessFailure:
    """Of the processes that ended first, return one with a known error, else one that was killed, else any.

    The others fail as a consequence: they lose the connection to it, or the launcher ends them.
    """
    start = min(failure.timestamp for failure in failures.values())

    def rank(failure: ProcessFailure) -> tuple[bool, bool, bool]:
        known = _said(failure).partition(":")[0] in {*OURS, OUT_OF_MEMORY}
        return not known, not _was_killed(failure), failure.exitcode == -signal.SIGTERM

    return min((f for f in failures.values() if f.timestamp <= start + SAME_MOMENT), key=rank)


def _said(failure: ProcessFailure) -> str:
    """The error as `Kind: text`. torch declares `message` as a string, but it is a dict if `record` wrote it."""
    message: Any = failure.message
    return str(message["message"]) if isinstance(message, dict) else str(message)


def _was_killed(failure: ProcessFailure) -> bool:
    return failure.exitcode < 0 and failure.exitcode != -signal.SIGTERM


def _fail(failure: ProcessFailure, count: int, error: ChildFailedError) -> NoReturn:
    who = f"training process {failure.local_rank} of 0 to {count - 1}"
    if _was_killed(failure):
        raise UnavailableError(
            f"{who} was killed by {failure.signal_name()} (is the pod's memory limit too low?)"
        ) from error
    kind, _, text = _said(failure).partition(": ")
    if kind in OURS:
        raise OURS[kind](text) from error
    raise UnavailableError(f"{who} failed: {_said(failure)}") from error
