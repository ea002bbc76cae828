"""How drift detection starts a retraining: one per run, and none that would wait unseen."""

import re
from unittest.mock import Mock

import pytest
from airflow.sdk.exceptions import AirflowFailException, DagRunTriggerException
from hypothesis import given
from hypothesis import strategies as st

from wakee.retraining import LONGEST_RUN_ID, retraining_of

RUN_IDS = st.from_regex(r"[A-Za-z0-9_.~:+-]{1,250}", fullmatch=True)
"""Airflow's default pattern of run ids."""


@pytest.fixture
def trigger(dag_bag):
    """A function: execute `trigger_retrain` with a paused DAG, or another; returns the task instance."""
    task = dag_bag.dags["drift_detection_daily"].task_dict["trigger_retrain"]

    def execute(paused, queue_while_paused):
        instance = Mock()
        instance.get_dag.return_value.is_paused = paused
        params = {"queue_while_paused": queue_while_paused}
        operator = task.prepare_for_execution()
        operator.trigger_run_id, operator.conf = "drift__x", '{"drift_report_id": 1}'
        return instance, lambda: operator.execute({"ti": instance, "params": params})

    return execute


@pytest.mark.parametrize(("paused", "queue"), [(False, False), (True, True), (False, True)])
def test_a_run_is_started(trigger, paused, queue):
    _, execute = trigger(paused, queue)
    with pytest.raises(DagRunTriggerException) as started:  # Airflow's supervisor takes it from there
        execute()
    assert (started.value.trigger_dag_id, started.value.dag_run_id) == ("model_retrain", "drift__x")


def test_a_paused_dag_is_an_error_with_its_remedy(trigger):
    instance, execute = trigger(paused=True, queue_while_paused=False)
    with pytest.raises(AirflowFailException, match=r"model_retrain is paused.*Unpause it and clear this task"):
        execute()
    ((_, result),) = (call.args for call in instance.xcom_push.call_args_list)
    assert "model_retrain is paused" in result["cause"]


@given(st.lists(RUN_IDS, unique=True, min_size=2, max_size=5))
def test_each_run_has_a_retraining_of_its_own(run_ids):
    names = [retraining_of(run_id) for run_id in run_ids]
    assert len(set(names)) == len(run_ids)
    assert all(len(name) <= LONGEST_RUN_ID and re.fullmatch(r"[A-Za-z0-9_.~:+-]+", name) for name in names)


def test_long_ids_that_differ_at_their_ends_stay_distinct():
    assert retraining_of("x" * 249 + "a") != retraining_of("x" * 249 + "b")
    assert retraining_of("manual__1") == "drift__manual__1"
