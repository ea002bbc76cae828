"""Variables of the Airflow components: an empty one counts as unset, a wrong one is named with what it must be."""

import pytest
from wakee_contract.parameters import RETRAIN

from wakee.config import PipelineConfig, VariableError
from wakee.forms import form, training_hours

WRONG = {
    "a GPU count of words": ("WAKEE_GPU_COUNT", "two", "a whole number"),
    "a GPU count below zero": ("WAKEE_GPU_COUNT", "-1", "a whole number"),
    "seconds with a unit": ("WAKEE_GPU_WAIT_SECONDS", "30m", "a whole number"),
    "a selector that is no JSON": ("WAKEE_GPU_NODE_SELECTOR", "accelerator=a10", "a JSON object"),
    "a selector that is a list": ("WAKEE_GPU_NODE_SELECTOR", "[1]", "a JSON object"),
    "hours of words": ("WAKEE_DEFAULT_TRAINING_HOURS", "a day", "a whole number"),
    "epochs of words": ("WAKEE_DEFAULT_EPOCHS", "many", "a whole number from 1 to 1000"),
    "no epochs": ("WAKEE_DEFAULT_EPOCHS", "0", "a whole number from 1 to 1000"),
    "a rate that is not a number": ("WAKEE_DEFAULT_LEARNING_RATE", "nan", "a number from 1e-07 to 1"),
    "another start": ("WAKEE_DEFAULT_START", "scratch", "one of auto, hub, imagenet, random"),
}


def read_all():
    return PipelineConfig(), form(RETRAIN), training_hours()


@pytest.mark.parametrize("value", ["", " "], ids=["empty", "blank"])
@pytest.mark.parametrize("name", sorted({name for name, _, _ in WRONG.values()} | {"WAKEE_NAMESPACE"}))
def test_an_empty_variable_counts_as_unset(monkeypatch, name, value):
    monkeypatch.delenv(name, raising=False)
    config, params, hours = read_all()
    monkeypatch.setenv(name, value)

    again = read_all()

    assert (again[0], again[2]) == (config, hours)
    assert {key: param.value for key, param in again[1].items()} == {key: param.value for key, param in params.items()}


@pytest.mark.parametrize(("name", "value", "expected"), WRONG.values(), ids=WRONG)
def test_a_wrong_variable_is_named_with_what_it_must_be(monkeypatch, name, value, expected):
    monkeypatch.setenv(name, value)
    with pytest.raises(VariableError) as error:
        read_all()
    assert str(error.value).startswith(f"Cannot read {name}: {value!r} is not {expected}")
