"""The same retraining is found by what makes it the same, and by nothing else."""

import json

import pytest
from wakee_common.errors import BadInputError
from wakee_common.settings import RunContext
from wakee_train.release.repetitions import find_repetition
from wakee_train.results import DatasetResult

FETCHED = DatasetResult(dataset_id="0123456789abcdef", samples=100, excluded={}, reused=True)
CHOICES = {"backbone": "efficientnet_b4", "epochs": 10, "drift_report_id": 7, "train_again": False}
RUN = RunContext.model_construct(
    dag_id="model_retrain", run_id="first", image="wakee/train:1", git_commit="0123abc", task_id="fetch_training_data"
)
MADE = (
    "INSERT INTO model_versions (version_name, run_id, lineage) VALUES ('v1', 'first', jsonb_build_object("
    "'retraining_key', %s::text))"
)


@pytest.fixture
def finished(environment):
    """A retraining whose version is on record; finds the same one for a later run."""

    def find(fetched=FETCHED, *, run=RUN, train_again=False, **choices):
        given = json.dumps(CHOICES | choices)
        return find_repetition(environment.database, run, fetched, given, train_again=train_again)

    environment.execute(MADE, (find().retraining_key,))
    return find


def later(**changes):
    return RUN.model_copy(update={"run_id": "second", **changes})


def test_the_same_is_done_already(finished):
    found = finished(run=later())

    assert (found.status, found.already_done_by) == ("already_done", "v1")


def test_a_retry_of_the_run_itself_goes_on(finished):
    assert finished().status == "success"


def test_whoever_asks_for_it_trains_again(finished):
    found = finished(run=later(), train_again=True)

    assert (found.status, found.already_done_by) == ("success", "v1")


def test_too_little_data_stays_too_little(finished):
    assert finished(FETCHED.model_copy(update={"status": "insufficient_data"}), run=later()).status == (
        "insufficient_data"
    )


def test_another_drift_report_makes_no_other_retraining(finished):
    assert finished(run=later(), drift_report_id=8).status == "already_done"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"fetched": FETCHED.model_copy(update={"dataset_id": "f" * 16})}, id="data"),
        pytest.param({"epochs": 11}, id="a parameter"),
        pytest.param({"run": later(image="wakee/train:2")}, id="image"),
    ],
)
def test_another_retraining_goes_on(finished, change):
    assert finished(**{"run": later(), **change}).status == "success"


def test_another_champion_makes_another_retraining(finished, environment):
    environment.execute("INSERT INTO model_versions (version_name, is_production) VALUES ('v2', true)")

    assert finished(run=later()).status == "success"


@pytest.mark.parametrize("choices", ["", "[]", "{", "None"])
def test_what_are_no_parameters_is_refused(environment, choices):
    with pytest.raises(BadInputError, match="is not a JSON object"):
        find_repetition(environment.database, RUN, FETCHED, choices, train_again=False)
