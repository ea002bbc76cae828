"""How drift detection starts a retraining: once per run, and never one that would wait unseen."""

from __future__ import annotations

import hashlib
from typing import Any

from airflow.providers.standard.operators.trigger_dagrun import DagIsPaused, TriggerDagRunOperator
from airflow.sdk.exceptions import AirflowFailException

PREFIX = "drift__"
LONGEST_RUN_ID = 250
"""Airflow's."""
PAUSED = (
    "{dag} is paused: a run of it would wait until somebody unpauses it. Unpause it and clear this task; or let the"
    " run wait, with the parameter queue_while_paused."
)


def retraining_of(run_id: str) -> str:
    """The id of the retraining that a drift run starts; a digest takes the place of what is cut."""
    name = f"{PREFIX}{run_id}"
    if len(name) <= LONGEST_RUN_ID:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:10]
    return f"{name[: LONGEST_RUN_ID - len(digest) - 1]}-{digest}"


class RetrainingTrigger(TriggerDagRunOperator):
    """Starts a run, and fails where the DAG is paused, unless the parameter `queue_while_paused` says otherwise."""

    def execute(self, context: Any) -> None:
        """Start the run.

        Raises:
            AirflowFailException: the DAG is paused; trying again does not help.
        """
        self.fail_when_dag_is_paused = not context["params"]["queue_while_paused"]
        try:
            super().execute(context)
        except DagIsPaused as error:
            cause = PAUSED.format(dag=self.trigger_dag_id)
            context["ti"].xcom_push("return_value", {"status": "failed", "cause": cause})  # for the alert
            raise AirflowFailException(cause) from error
