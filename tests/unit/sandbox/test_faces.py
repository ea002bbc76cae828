import hashlib

import numpy as np
import pytest
from wakee_contract.emotions import EMOTIONS
from wakee_sandbox.faces import draw

CALM = (0.5, 0.5, 1.0, 0.5)


def pixels(levels: tuple[float, ...], identity: int) -> np.ndarray:
    """What is left after the API's centre crop."""
    return np.asarray(draw(levels, identity), dtype=np.float32)[16:-16, 16:-16]


def with_level(index: int, level: float) -> tuple[float, ...]:
    return tuple(level if place == index else other for place, other in enumerate(CALM))


def test_same_arguments_same_pixels() -> None:
    first, second = (hashlib.sha256(draw(CALM, 7).tobytes()).digest() for _ in range(2))
    assert first == second


def test_size_and_mode() -> None:
    picture = draw(CALM, 1, size=96)
    assert (picture.size, picture.mode) == ((96, 96), "RGB")


def test_levels_outside_the_scale_are_drawn_as_its_ends() -> None:
    assert np.array_equal(pixels((-1, 9, 5, 0), 3), pixels((0, 3, 3, 0), 3))


def test_identities_look_different() -> None:
    assert len({draw(CALM, identity).tobytes() for identity in range(30)}) == 30


@pytest.mark.parametrize("index", range(4), ids=EMOTIONS)
def test_every_emotion_shows_on_every_person_and_more_the_stronger_it_is(index: int) -> None:
    for identity in range(40):
        none, some, much = (pixels(with_level(index, level), identity) for level in (0.0, 1.5, 3.0))
        assert (np.abs(none - some).max(axis=2) > 40).mean() > 0.003, identity
        assert np.abs(none - much).mean() > np.abs(none - some).mean(), identity
