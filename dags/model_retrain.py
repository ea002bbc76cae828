"""Placeholder: `model_retrain` is not built yet. Its only task fails and says so."""

import pendulum
from airflow.sdk import DAG, Param, task
from airflow.sdk.exceptions import AirflowFailException

from wakee.stages import DEFAULT_ARGS


@task
def not_built_yet(params: dict[str, object]) -> None:
    """Fail with what would have been retrained."""
    raise AirflowFailException(f"model_retrain is not built yet (drift report {params['drift_report_id']})")


with DAG(
    "model_retrain",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    params={"drift_report_id": Param(None, type=["null", "integer"], description="The report that asked for this.")},
    tags=["wakee", "retrain"],
    doc_md=__doc__,
):
    not_built_yet()  # type: ignore[call-arg]
