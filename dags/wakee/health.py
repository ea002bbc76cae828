"""Input of a health check's summary: the state and the result of each check."""

from __future__ import annotations

import json
from typing import Any

from wakee_contract.checks import CHECKS

# The summary already has the run context.
TOLD = ("status", "cause", "seconds", "latency", "facts", "warnings", "tests", "passed", "skipped", "html_uri")


def health_results(ti: Any) -> str:
    """Return JSON with the task state of each check and, if there is one, its result. Failed pods also return a result.

    Called when the arguments of the summary are rendered, after all checks have ended.
    """
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[*CHECKS], run_ids=[ti.run_id]).get(ti.run_id, {})
    return json.dumps({check: {"state": states.get(check), "result": _result(ti, check)} for check in CHECKS})


def _result(ti: Any, check: str) -> dict[str, Any] | None:
    result = ti.xcom_pull(task_ids=check)
    return {key: result[key] for key in TOLD if key in result} if isinstance(result, dict) else None
