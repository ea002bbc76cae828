"""Rollback: put an earlier model version back into production on the Hub, in the registry and in the database.

Triggered manually. The Hub's main gets the files of that version in a new commit, and the registry's alias `champion`
and `is_production` in the table `model_versions` are moved to it. What is already correct is not changed, so the run
can be repeated. Its result says what was changed.

`version` is the name of a version that was in production, e.g. `v20260401-1a2b3c4d`, or `previous`: of the versions
older than the current one, the one that was put into production last.
"""

import airflow.providers.cncf.kubernetes.operators.pod  # noqa: F401 - see wakee/stages.py
import pendulum
from airflow.sdk import DAG
from wakee_contract.parameters import ROLLBACK

from wakee.deadlines import ends_within
from wakee.forms import form
from wakee.notifications import ALERTS
from wakee.stages import DEFAULT_ARGS, stage

with DAG(
    "model_rollback",
    schedule=None,
    start_date=pendulum.datetime(2026, 1, 1, tz="UTC"),
    catchup=False,
    max_active_runs=1,
    default_args=DEFAULT_ARGS,
    **ALERTS,
    **ends_within(hours=6),
    params=form(ROLLBACK),
    tags=["wakee", "retrain"],
    doc_md=__doc__,
    description="Restore an earlier version on Hub, registry and database.",
):
    stage("train", "rollback", "--version={{ params.version }}")
