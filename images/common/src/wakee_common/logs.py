"""Logging as text or JSON, without secrets."""

import json
import logging
import os
import time
from typing import Literal

from pydantic import Field

from wakee_common.errors import ConfigurationError
from wakee_common.redaction import redact
from wakee_common.settings import Settings, load

logger = logging.getLogger(__name__)

NOISY = ("botocore", "boto3", "urllib3", "s3transfer", "matplotlib", "PIL", "httpx", "httpx2")
RUN_VARIABLES = {
    "dag_id": "WAKEE_DAG_ID",
    "run_id": "WAKEE_RUN_ID",
    "task_id": "WAKEE_TASK_ID",
    "try_number": "WAKEE_TRY_NUMBER",
}


class LogSettings(Settings):
    """Level and format of the log."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field(
        "INFO", alias="WAKEE_LOG_LEVEL", description="Log level: DEBUG, INFO, WARNING or ERROR."
    )
    line_format: Literal["text", "json"] = Field(
        "text",
        alias="WAKEE_LOG_FORMAT",
        description="`text` for humans, or `json` for log collectors: one object per line, with DAG, run and task.",
    )


class _TextFormatter(logging.Formatter):
    """Format lines with ISO timestamps in UTC, and redact secrets in messages and tracebacks."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class _JsonFormatter(_TextFormatter):
    """Format each message as one JSON object on one line, with its DAG, run and task.

    Secrets are redacted before the encoding, because JSON may escape some of their characters.
    """

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": self.formatTime(record, self.datefmt),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **{key: os.environ[name] for key, name in RUN_VARIABLES.items() if name in os.environ},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps({key: redact(value) for key, value in line.items()})


def configure_logging() -> None:
    """Log one line per message to stderr: time (UTC), level, logger and text, in the format of `WAKEE_LOG_FORMAT`.

    A wrong setting does not fail the stage: it is logged, and the defaults apply.
    """
    settings, problem = _settings()
    formatter = {"text": _TextFormatter, "json": _JsonFormatter}[settings.line_format]
    handler = logging.StreamHandler()
    handler.setFormatter(formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ"))
    logging.basicConfig(level=settings.level, handlers=[handler], force=True)
    logging.captureWarnings(settings.line_format == "json")
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)
    if problem:
        logger.warning("%s", problem)


def _settings() -> tuple[LogSettings, str]:
    try:
        return load(LogSettings), ""
    except ConfigurationError as error:
        return LogSettings.model_construct(), str(error)
