"""Log lines for people, without secrets."""

import logging
import os
import time
from urllib.parse import unquote

SECRET_VARIABLES = (
    "NEON_DATABASE_URL",
    "R2_ACCESS_KEY_ID",
    "R2_SECRET_ACCESS_KEY",
    "HF_TOKEN",
    "MLFLOW_TRACKING_TOKEN",
)
SHORTEST_SECRET = 4
NOISY = ("botocore", "boto3", "urllib3", "s3transfer", "matplotlib", "PIL", "httpx", "httpx2")


class _Formatter(logging.Formatter):
    """ISO timestamps in UTC, and secrets blotted out of messages and tracebacks alike."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


def configure_logging() -> None:
    """One line per message on stderr: time (UTC), level, logger, text."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%SZ"))
    logging.basicConfig(level=os.environ.get("WAKEE_LOG_LEVEL", "INFO"), handlers=[handler], force=True)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.WARNING)


def redact(text: str) -> str:
    """Replace the values of secret variables, and the password inside the database's address, by `***`."""
    for secret in _secrets():
        text = text.replace(secret, "***")
    return text


def _secrets() -> list[str]:
    values = [os.environ.get(name, "") for name in SECRET_VARIABLES]
    password = values[0].rpartition("@")[0].rpartition(":")[2]
    secrets = [*values, password, unquote(password)]
    return sorted((v for v in secrets if len(v) >= SHORTEST_SECRET), key=len, reverse=True)
