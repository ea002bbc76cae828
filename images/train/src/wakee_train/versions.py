"""The names of model versions, and where the stages of the run that made one left their records."""

import hashlib
import re
from typing import Final

from wakee_common.settings import RunContext
from wakee_common.uris import R2Uri

DATE = re.compile(r"(20\d\d)-?(\d\d)-?(\d\d)")

EVALUATION: Final = "evaluation.json"
EXPORT: Final = "export.json"
PUBLICATION: Final = "publication.json"
TRACKING: Final = "tracking.json"
"""Each record's file in the folder of the stage that writes it."""


def version_name(context: RunContext) -> str:
    """A name that is the same for every try of a run: the date in the run's id, if any, and a digest of the id."""
    digest = hashlib.sha256(f"{context.dag_id}/{context.run_id}".encode()).hexdigest()[:8]
    date = DATE.search(context.run_id)
    return f"v{''.join(date.groups())}-{digest}" if date else f"v{digest}"


def run_key(context: RunContext) -> str:
    """The DAG run, as tags of MLflow and lineages name it."""
    return f"{context.dag_id}/{context.run_id}"


def stage_folder(run: RunContext, task_id: str, bucket: str) -> R2Uri:
    """Where a stage of a run left its records."""
    return run.model_copy(update={"task_id": task_id}).folder(bucket)
