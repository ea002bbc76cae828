"""What a run's model version is called."""

import hashlib
import re

from wakee_common.settings import RunContext

DATE = re.compile(r"(20\d\d)-?(\d\d)-?(\d\d)")


def version_name(context: RunContext) -> str:
    """A name that is the same for every try of a run: the date in the run's id, if any, and a digest of the id."""
    digest = hashlib.sha256(f"{context.dag_id}/{context.run_id}".encode()).hexdigest()[:8]
    date = DATE.search(context.run_id)
    return f"v{''.join(date.groups())}-{digest}" if date else f"v{digest}"
