"""What the database check expects of columns: required ones, and one that may be there."""

import pytest
from wakee_health.probes.schema import EXPECTED, differences


def found(**labels):
    """The tables as expected, with other columns of `emotion_labels` on top."""
    return {**EXPECTED, "emotion_labels": EXPECTED["emotion_labels"] | labels}


@pytest.mark.parametrize("labels", [{}, {"model_version": "text"}, {"other": "bytea"}])
def test_columns_on_top_are_welcome(labels):
    assert differences(found(**labels)) == []


def test_the_version_beside_a_prediction_is_a_text():
    assert differences(found(model_version="integer")) == [
        "emotion_labels.model_version is integer, not character varying"
    ]
