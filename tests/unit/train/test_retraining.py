"""The whole way: from annotations to a version that the Hub, MLflow and the database agree on."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from .conftest import World


@pytest.fixture(scope="module")
def story(make_world: Any, tmp_path_factory: Any) -> Iterator[tuple[World, dict[str, Any]]]:
    world = make_world(tmp_path_factory.mktemp("story"))
    world.add_faces(range(220))
    yield world, world.retrain("manual__2026-04-01T02:00:00+00:00")


def test_first_model_is_promoted(story):
    world, results = story
    print(results)
    assert results["evaluate"]["promote"] is True
    assert results["update"]["is_production"] is True
