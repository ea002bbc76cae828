"""Which version a rollback goes back to."""

import pytest
from wakee_common.database import reading
from wakee_common.errors import BadInputError
from wakee_train.rolling_back import PREVIOUS, find_target

from .conftest import World

INSERT = (
    "INSERT INTO model_versions (version_name, model_type, framework, deployed_at, is_production, hf_commit)"
    " VALUES (%s, 'test_efficientnet', 'pytorch', %s, %s, %s)"
)


def versions(world: World, production: str, **deployed_on: int | None) -> None:
    """Versions in the order of their rows, each with the day of April on which it was last deployed."""
    for name, day in deployed_on.items():
        moment = f"2026-04-{day:02d}" if day else None
        world.execute(INSERT, (name, moment, name == production, f"commit of {name}"))


def target(world: World) -> str:
    with reading(world.database) as connection:
        return find_target(connection, PREVIOUS).version


@pytest.mark.parametrize(
    ("production", "deployed_on", "expected"),
    [
        pytest.param("v3", {"v1": 1, "v2": 2, "v3": 3}, "v2", id="the one before"),
        pytest.param("v3", {"v1": 3, "v2": 2, "v3": 4}, "v1", id="not one that was rolled back"),
        pytest.param("v2", {"v1": 1, "v2": 4, "v3": 3}, "v1", id="further back after a rollback"),
        pytest.param("v3", {"v1": 1, "v2": None, "v3": 3}, "v1", id="not a candidate"),
    ],
)
def test_previous_is_the_older_version_that_was_in_production_last(world, production, deployed_on, expected):
    versions(world, production, **deployed_on)

    assert target(world) == expected


def test_before_the_first_version_there_is_none(world):
    versions(world, "v1", v1=1, v2=None)

    with pytest.raises(BadInputError, match="no version was in production before"):
        target(world)
