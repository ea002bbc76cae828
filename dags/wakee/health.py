"""What the summary of a health check is told: how each check ended, and what it left."""

from __future__ import annotations

import json
from typing import Any

from wakee_contract.checks import CHECKS

# Who ran it, where, and the like, the summary knows by itself.
TOLD = ("status", "cause", "seconds", "latency", "facts", "warnings", "tests", "passed", "skipped", "html_uri")


def health_results(ti: Any) -> str:
    """JSON: per check its task's state and, when its pod left one, its result; failed pods leave one, too.

    Made when the arguments of the summary are rendered, after all checks have ended.
    """
    states = ti.get_task_states(dag_id=ti.dag_id, task_ids=[*CHECKS], run_ids=[ti.run_id]).get(ti.run_id, {})
    return json.dumps({check: {"state": states.get(check), "result": _result(ti, check)} for check in CHECKS})


def _result(ti: Any, check: str) -> dict[str, Any] | None:
    result = ti.xcom_pull(task_ids=check)
    return {key: result[key] for key in TOLD if key in result} if isinstance(result, dict) else None
