"""Trigger of the retraining by drift detection: once per run, and not silently queued while the DAG is paused."""

from __future__ import annotations

import hashlib
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import DagIsPaused, TriggerDagRunOperator
from airflow.sdk.exceptions import AirflowFailException

PREFIX = "drift__"
LONGEST_RUN_ID = 250
"""Airflow's limit, in characters."""
PAUSED = (
    "{dag} is paused: a run would wait until it is unpaused. Unpause it and clear this task, or"
    " let the run wait with the parameter queue_while_paused."
)


def retraining_of(run_id: str) -> str:
    """Return the run id of the retraining that a drift run triggers. A digest replaces the part that is cut off."""
    name = f"{PREFIX}{run_id}"
    if len(name) <= LONGEST_RUN_ID:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{name[: LONGEST_RUN_ID - len(digest) - 1]}-{digest}"


class RetrainingTrigger(TriggerDagRunOperator):
    """Trigger a run; fail if the DAG is paused, unless the parameter `queue_while_paused` is set."""

    def execute(self, context: Any) -> None:
        """Trigger the run.

        Raises:
            AirflowFailException: the DAG is paused; a retry would not help.
        """
        self.fail_when_dag_is_paused = not context["params"]["queue_while_paused"]
        try:
            super().execute(context)
        except DagIsPaused as error:
            cause = PAUSED.format(dag=self.trigger_dag_id)
            context["ti"].xcom_push("return_value", {"status": "failed", "cause": cause})  # for the alert
            raise AirflowFailException(cause) from error
