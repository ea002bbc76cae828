"""Alerts about runs that have not ended in time."""

import asyncio
from datetime import timedelta

import pytest
from airflow._shared.module_loading import import_string

from wakee.config import VariableError
from wakee.deadlines import ends_within

RUN = {
    "dag_id": "model_retrain",
    "dag_run_id": "drift__manual__1",
    "queued_at": "2026-04-05T03:00:00Z",
    "start_date": None,
}


class Sent(list):
    """Messages, in the place of the channels."""

    def send(self, message):
        self.append(message)


@pytest.fixture
def told(monkeypatch):
    """A function: what is told of a run."""
    sent = Sent()
    monkeypatch.setattr("wakee.deadlines.Channels", lambda: sent)

    def tell(**run):
        callback = import_string(ends_within(1)["deadline"].callback.path)
        asyncio.run(callback(context={"dag_run": RUN | run}))
        return sent

    return tell


def test_a_run_that_waits_is_told_of(told):
    (message,) = told(state="queued")
    assert message.subject == "[Wakee] model_retrain has not ended in time"
    assert message.link.endswith("/dags/model_retrain/runs/drift__manual__1")
    assert "Check that the DAG is not paused" in message.text()


def test_a_run_that_takes_long_is_told_of(told):
    (message,) = told(state="running", start_date="2026-04-05T03:01:00Z")
    assert "it has been running since 2026-04-05T03:01:00Z" in message.text()


def test_every_dag_has_a_deadline(dag_bag):
    for dag in dag_bag.dags.values():
        (deadline,) = dag.deadline
        assert deadline.interval >= timedelta(hours=6), dag.dag_id


@pytest.mark.parametrize("value", ["0", "-1", "soon", "nan", "inf"])
def test_a_wrong_time_is_named(monkeypatch, value):
    monkeypatch.setenv("WAKEE_ALERT_AFTER_HOURS", value)
    with pytest.raises(VariableError, match="WAKEE_ALERT_AFTER_HOURS"):
        ends_within(6)


def test_a_cluster_sets_the_time(monkeypatch):
    monkeypatch.setenv("WAKEE_ALERT_AFTER_HOURS", "0.5")
    assert ends_within(6)["deadline"].interval == timedelta(minutes=30)
