"""Rollback: put an earlier model version back into production, everywhere.

Started by hand. The Hub's main gets the files of that version in a new commit, the registry's alias `champion` and
`is_production` in the table `model_versions` move to it. What is as it should be already is left alone, so the run can
be repeated; its result says what it did.

`version` is the name of a version that was in production, e.g. `v20260401-1a2b3c4d`, or `previous`: of the versions
older than the present one, the one that was put into production last.
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
    description="Put Hub, registry and database back to an earlier version.",
):
    stage("train", "rollback", "--version={{ params.version }}")
