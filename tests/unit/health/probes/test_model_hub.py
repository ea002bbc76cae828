"""The model in production: kept to its contract, the same in the API, and of one version in every place."""

import pytest
from wakee_health.probes.model_hub import check_agreement

from ..environment import VERSION, Environment, files
from ..onnx_file import linear_model

PLACES = ("Hub main", "registry champion", "is_production")


def test_model_that_breaks_the_contract(environment: Environment):
    environment.commit({"model.onnx": linear_model(input_name="picture")})
    try:
        cause = environment.cause("test-model-hub")
    finally:
        environment.commit(files())
    assert cause.startswith("the model's input breaks the contract: [('picture', 'tensor(float)', (3, 224, 224))]")


def test_model_that_is_none(environment: Environment):
    environment.push({"model.onnx": b"no model"})
    try:
        cause = environment.cause("test-model-hub")
    finally:
        environment.commit(files())
    assert cause.startswith("cannot load model.onnx: ")


def test_api_with_another_model(environment: Environment):
    environment.push(files(linear_model((0.2, 0.4, 0.6, 0.8))), "wakee/another")
    cause = environment.but(HF_MODEL_REPO="wakee/another").cause("test-model-hub")
    assert cause == "the API and the Hub's model differ by 0.8000 on the same picture, more than 0.01"


@pytest.mark.parametrize(
    ("damage", "repair", "named"),
    [
        ("SET version_name = 'v-other' WHERE is_production", "SET version_name = %s WHERE is_production", "v-other"),
        ("SET is_production = false", "SET is_production = true WHERE version_name = %s", "none"),
    ],
    ids=["another", "none"],
)
def test_another_version_in_the_database(environment: Environment, damage: str, repair: str, named: str):
    environment.execute(f"UPDATE model_versions {damage}")
    try:
        cause = environment.cause("test-model-hub")
    finally:
        environment.execute(f"UPDATE model_versions {repair}", [VERSION])
    assert cause == (
        f"the version in production is not the same everywhere: Hub main {VERSION}, registry champion {VERSION}, "
        f"is_production {named}"
    )


def test_another_champion(environment: Environment):
    environment.register("v-other")
    try:
        cause = environment.cause("test-model-hub")
    finally:
        environment.register(VERSION)
    assert cause == (
        f"the version in production is not the same everywhere: Hub main {VERSION}, registry champion v-other, "
        f"is_production {VERSION}"
    )


def test_no_champion(environment: Environment):
    cause = environment.but(MLFLOW_MODEL_NAME="another").cause("test-model-hub")
    assert cause == (
        f"the version in production is not the same everywhere: Hub main {VERSION}, registry champion none, "
        f"is_production {VERSION}"
    )


@pytest.mark.parametrize(
    ("names", "places"),
    [
        pytest.param((None, None, None), PLACES, id="nothing-anywhere"),
        pytest.param((None, None, "v-of-before"), PLACES[:2], id="a-database-of-before-us"),
    ],
)
def test_an_installation_that_has_published_nothing_is_not_red(names, places):
    warnings = check_agreement(dict(zip(PLACES, names, strict=True)))
    assert warnings == [f"{place} has no version" for place in places]
