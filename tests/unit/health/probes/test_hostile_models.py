"""Files called `model.onnx`: each is used as a model, or refused in one line."""

import contextlib
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakee_health.errors import WrongAnswerError
from wakee_health.probes.faces import draw_face
from wakee_health.probes.model import Model

from ..onnx_file import linear_model

GOOD = linear_model()
NOT_A_NUMBER, INFINITE = float("nan"), float("inf")


def levels_of(content: bytes) -> np.ndarray:
    """What a file's model says of a face."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        path.write_bytes(content)
        return Model(path).predict(draw_face())


@pytest.mark.parametrize(
    ("content", "says"),
    [
        pytest.param(b"", "cannot load ", id="empty"),
        pytest.param(b"<html>503 Service Unavailable</html>", "cannot load ", id="a page"),
        pytest.param(b"\x80\x04\x95c__builtin__\nexec\n.", "cannot load ", id="a pickle"),
        pytest.param(GOOD[: len(GOOD) // 2], "cannot load ", id="cut in half"),
        pytest.param(GOOD[:-40], "cannot load ", id="without its end"),
        pytest.param(linear_model(input_name="picture"), "the model's input breaks the contract: ", id="another name"),
        pytest.param(linear_model(side=128), "the model's input breaks the contract: ", id="another size"),
        pytest.param(linear_model((NOT_A_NUMBER,) * 4), "the model does not output four numbers: ", id="NaN"),
        pytest.param(linear_model((INFINITE, 1, 1, 1)), "the model does not output four numbers: ", id="infinity"),
    ],
)
def test_refused(content, says):
    with pytest.raises(WrongAnswerError, match=says) as raised:
        levels_of(content)

    assert "\n" not in str(raised.value)


def test_levels_off_the_scale_are_clipped():
    assert levels_of(linear_model((-99.0, 99.0, 1e30, -1e30))).tolist() == [0, 3, 3, 0]


@given(st.lists(st.tuples(st.integers(0, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=20))
def test_damaged(bytes_changed):
    content = bytearray(GOOD)
    for place, value in bytes_changed:
        content[place] = value
    with contextlib.suppress(WrongAnswerError):
        levels = levels_of(bytes(content))
        assert levels.shape == (4,)
        assert ((levels >= 0) & (levels <= 3)).all()
