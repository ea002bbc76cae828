"""The Wakee API fulfils its contract."""

import io

import numpy as np
import pytest
from PIL import Image
from wakee_contract.emotions import HIGHEST_LEVEL, LOWEST_LEVEL

from wakee_health.probes.api import health, predict, refuses_text
from wakee_health.probes.web import Site


def test_health(api: Site) -> None:
    """The API is healthy and has loaded a model."""
    assert health(api).model_loaded


def test_predict_gives_four_levels(api: Site, face: bytes) -> None:
    """A prediction has four numbers on the scale."""
    levels = predict(api, face)
    assert levels.shape == (4,)
    assert (levels >= LOWEST_LEVEL).all()
    assert (levels <= HIGHEST_LEVEL).all()


def test_predict_says_the_same_again(api: Site, face: bytes) -> None:
    """The same picture always gets the same levels."""
    np.testing.assert_allclose(predict(api, face), predict(api, face), atol=1e-4)


@pytest.mark.parametrize(
    ("size", "mode"), [pytest.param((640, 480), "RGB", id="photo"), pytest.param((64, 64), "L", id="small-and-grey")]
)
def test_predict_takes_any_picture(api: Site, size: tuple[int, int], mode: str) -> None:
    """Other sizes and colour modes are accepted."""
    file = io.BytesIO()
    Image.new(mode, size, 128).save(file, "PNG") if mode == "L" else Image.new(mode, size, (90, 120, 150)).save(
        file, "PNG"
    )
    assert predict(api, file.getvalue()).shape == (4,)


def test_predict_refuses_what_is_no_picture(api: Site) -> None:
    """A text file is rejected with status 400."""
    refuses_text(api)


def test_load_counts_samples(api: Site) -> None:
    """The overview has consistent counts."""
    overview = api.ask_json("GET", "/load", params={"limit": 1})
    assert {"total_samples", "validated_samples", "recent_predictions", "statistics"} <= overview.keys()
    assert 0 <= overview["validated_samples"] <= overview["total_samples"]
