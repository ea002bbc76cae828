"""The ONNX model, with the same preprocessing as in the Wakee API."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray
from PIL import Image
from wakee_common.errors import one_line
from wakee_contract.emotions import EMOTIONS, HIGHEST_LEVEL, LOWEST_LEVEL
from wakee_contract.model import INPUT, OUTPUT
from wakee_contract.pictures import CROPPED, DEVIATION, MEAN, RESIZED

from wakee_health.errors import WrongAnswerError

INPUT_SHAPE, OUTPUT_SHAPE = (3, CROPPED, CROPPED), (len(EMOTIONS),)
FLOATS = "tensor(float)"

Node = tuple[str, str, tuple[int | str | None, ...]]
"""Name, type and shape (without the batch) of an input or output."""


class Model:
    """A loaded model that fulfils the contract: `input` (N, 3, 224, 224), `output` (N, 4), both float32.

    Raises:
        WrongAnswerError: the file is not an ONNX model, or breaks the contract.
    """

    def __init__(self, path: Path) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        options.intra_op_num_threads = 1
        with _runtime(f"cannot load {path.name}"):
            self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            inputs, outputs = map(_described, (self._session.get_inputs(), self._session.get_outputs()))
        _check("input", inputs, INPUT, INPUT_SHAPE)
        _check("output", outputs, OUTPUT, OUTPUT_SHAPE)

    def __call__(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return unclipped levels (N, 4) for normalised pictures (N, 3, 224, 224).

        Raises:
            WrongAnswerError: the model fails on the pictures.
        """
        with _runtime("cannot run the model"):
            (levels,) = self._session.run([OUTPUT], {INPUT: pictures})
        return np.asarray(levels, np.float32)

    def predict(self, picture: Image.Image) -> NDArray[np.float64]:
        """Return the four levels of a picture, clipped to the scale like in the API.

        Raises:
            WrongAnswerError: the output is not four numbers.
        """
        levels = self(preprocess(picture)[None])
        if levels.shape != (1, len(EMOTIONS)) or not np.isfinite(levels).all():
            raise WrongAnswerError(f"the model does not output four numbers: shape {levels.shape}")
        clipped: NDArray[np.float64] = np.clip(levels[0], LOWEST_LEVEL, HIGHEST_LEVEL).astype(np.float64)
        return clipped


def preprocess(picture: Image.Image) -> NDArray[np.float32]:
    """Resize to 256 x 256 (bilinear), centre crop to 224, scale to [0, 1], normalise with ImageNet's statistics.

    Returns:
        Shape (3, 224, 224), RGB.
    """
    margin = (RESIZED - CROPPED) // 2
    resized = picture.convert("RGB").resize((RESIZED, RESIZED), Image.Resampling.BILINEAR)
    cropped = resized.crop((margin, margin, margin + CROPPED, margin + CROPPED))
    pixels = (np.asarray(cropped, dtype=np.float32) / 255 - np.array(MEAN, np.float32)) / np.array(
        DEVIATION, np.float32
    )
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


@contextmanager
def _runtime(what: str) -> Iterator[None]:
    """Convert the runtime's errors, which have no common base class, into ours."""
    try:
        yield
    except Exception as error:
        raise WrongAnswerError(f"{what}: {one_line(error, 200)}") from None


def _described(nodes: list[onnxruntime.NodeArg]) -> list[Node]:
    return [(node.name, node.type, tuple(node.shape[1:])) for node in nodes]


def _check(what: str, found: list[Node], name: str, shape: tuple[int, ...]) -> None:
    """Check names and types against the contract. A dimension without a number may have any size."""
    fits = [n == name and kind == FLOATS and _fits(dimensions, shape) for n, kind, dimensions in found]
    if fits != [True]:
        raise WrongAnswerError(f"the model's {what} breaks the contract: {found}, not [({name!r}, float, {shape})]")


def _fits(found: tuple[int | str | None, ...], expected: tuple[int, ...]) -> bool:
    return len(found) == len(expected) and all(
        not isinstance(size, int) or size == wanted for size, wanted in zip(found, expected, strict=True)
    )
