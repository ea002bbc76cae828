"""Names of model versions, and the paths of the records that each stage of a run writes."""

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
"""File name of each record, in the folder of the stage that writes it."""


def version_name(context: RunContext) -> str:
    """A name that is the same for every attempt of a run: the date in the run's id, if any, and a digest of the id."""
    digest = hashlib.sha256(f"{context.dag_id}/{context.run_id}".encode()).hexdigest()[:8]
    date = DATE.search(context.run_id)
    return f"v{''.join(date.groups())}-{digest}" if date else f"v{digest}"


def run_key(context: RunContext) -> str:
    """The DAG run's name in MLflow tags and in lineages."""
    return f"{context.dag_id}/{context.run_id}"


def stage_folder(run: RunContext, task_id: str, root: R2Uri) -> R2Uri:
    """The folder of a stage's records."""
    return run.model_copy(update={"task_id": task_id}).folder(root)
