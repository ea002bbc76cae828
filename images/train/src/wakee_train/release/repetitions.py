"""Detect a repeated retraining: the same data set, parameters, champion and code result in the same model."""

import hashlib
import json
import logging
from typing import Any

from wakee_common.database import reading
from wakee_common.errors import BadInputError
from wakee_common.settings import DatabaseSettings, RunContext

from wakee_train.results import DatasetResult

logger = logging.getLogger(__name__)

CHAMPION = "SELECT version_name, hf_commit FROM model_versions WHERE is_production"
DONE = (
    "SELECT version_name FROM model_versions WHERE lineage ->> 'retraining_key' = %s AND run_id <> %s"
    " ORDER BY id DESC LIMIT 1"
)
NO_CHOICES = {"drift_report_id", "train_again", "restore_deleted_experiment"}
"""Parameters that do not change the resulting model."""


def find_repetition(
    database: DatabaseSettings, context: RunContext, fetched: DatasetResult, choices: str, *, train_again: bool
) -> DatasetResult:
    """Add the key of this retraining to the result, and the version that an earlier run made from the same inputs.

    Args:
        database: The database with the versions.
        context: This run and its code.
        fetched: The data set.
        choices: The run's parameters as JSON.
        train_again: Whether to train even if an earlier run did the same.

    Returns:
        The result; its status is `already_done` if there is nothing left to do.

    Raises:
        BadInputError: the parameters are not a JSON object.
    """
    key, version = _find(database, context, fetched.dataset_id, _relevant(choices))
    found = fetched.model_copy(update={"retraining_key": key, "already_done_by": version})
    if version is None or fetched.status != "success":
        return found
    same = f"{version} was trained on the same data with the same parameters, champion and image"
    if train_again:
        logger.info("%s. It is trained again, because train_again is set", same)
        return found
    logger.warning("%s: nothing to do. Set the parameter train_again to train anyway", same)
    return found.model_copy(update={"status": "already_done"})


def _relevant(choices: str) -> dict[str, Any]:
    try:
        given = json.loads(choices)
    except ValueError:
        given = None
    if not isinstance(given, dict):
        raise BadInputError(f"--choices {choices[:40]!r} is not a JSON object")
    return {name: value for name, value in given.items() if name not in NO_CHOICES}


def _find(
    database: DatabaseSettings, context: RunContext, dataset_id: str, choices: dict[str, Any]
) -> tuple[str, str | None]:
    """The key of a retraining, 16 hexadecimal digits, and the version that an earlier run made from the same inputs."""
    with reading(database) as connection, connection.cursor() as cursor:
        cursor.execute(CHAMPION)
        parts = [dataset_id, choices, cursor.fetchone(), context.image, context.git_commit]
        key = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
        cursor.execute(DONE, (key, context.run_id))
        found = cursor.fetchone()
    return key, str(found[0]) if found else None
