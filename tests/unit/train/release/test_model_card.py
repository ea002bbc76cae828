"""The model card reads as it should where others render it."""

import pytest
from wakee_train.release.model_card import cell, sentence
from wakee_train.settings import ModelPage


def test_a_reason_keeps_its_capitals():
    assert sentence("MAE 0.3000 -> 0.2500: better") == "MAE 0.3000 -> 0.2500: better."
    assert sentence("there is no champion yet") == "There is no champion yet."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("0123abcd", "`0123abcd`", id="plain"),
        pytest.param("tags.`wakee.run` = 'a'", "`` tags.`wakee.run` = 'a' ``", id="backticks"),
        pytest.param("```", "```` ``` ````", id="a-fence"),
        pytest.param("a|b", "`a\\|b`", id="bar"),
        pytest.param("https://mlflow.example.org/#/models/x", "<https://mlflow.example.org/#/models/x>", id="address"),
    ],
)
def test_a_cell_is_one_link_or_one_piece_of_code(text, expected):
    assert cell(text) == expected


@pytest.mark.parametrize(
    ("ui", "address"),
    [
        pytest.param("", "", id="unknown"),
        pytest.param("https://mlflow.example.org/", "https://mlflow.example.org/#/models/wakee%2Fmodel", id="known"),
    ],
)
def test_the_card_links_to_the_page_of_the_registered_model(ui, address):
    assert ModelPage(ui=ui, model="wakee/model").address == address
