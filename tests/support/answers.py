"""Responses of Airflow's API about one run, for code that uses the task SDK."""

import uuid
from datetime import UTC, datetime

from airflow.sdk.execution_time.comms import TaskStatesResult, XComSequenceSliceResult

RUN = "scheduled__2026-04-05T03:00:00+00:00"
BEFORE_EVERYTHING = datetime(2026, 4, 5, 3, tzinfo=UTC)


class Airflow:
    """A double of Airflow's API as the DAG processor uses it."""

    def __init__(self, results, states):
        self.results, self.states = results, states

    def send(self, msg):
        if msg.type == "GetXComSequenceSlice":
            return XComSequenceSliceResult(root=[self.results[msg.task_id]] if msg.task_id in self.results else [])
        assert msg.type == "GetTaskStates", msg
        return TaskStatesResult(task_states={RUN: self.states})


def dag_run(dag_id, state):
    return {
        "dag_id": dag_id,
        "run_id": RUN,
        "logical_date": BEFORE_EVERYTHING,
        "data_interval_start": None,
        "data_interval_end": None,
        "run_after": BEFORE_EVERYTHING,
        "start_date": BEFORE_EVERYTHING,
        "end_date": None,
        "run_type": "scheduled",
        "state": state,
        "consumed_asset_events": [],
        "partition_key": None,
    }


def instance(dag_id, task_id):
    ids = {"id": uuid.uuid4(), "dag_version_id": uuid.uuid4()}
    return {**ids, "task_id": task_id, "dag_id": dag_id, "run_id": RUN, "try_number": 1}
