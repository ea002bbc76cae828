"""An ONNX model that predicts the pictures of a split, preprocessed exactly as in the Wakee API."""

import numpy as np
from numpy.typing import NDArray
from wakee_common.errors import BadInputError, one_line
from wakee_common.pictures import as_the_api_does as as_the_api_does
from wakee_contract.model import INPUT, OUTPUT

from wakee_train.data.shards import SplitPixels, batches

BATCH = 32


class OnnxModel:
    """A model that meets the contract: `input` (N, 3, 224, 224), `output` (N, 4).

    Raises:
        BadInputError: the file is not an ONNX model, or does not meet the contract.
    """

    def __init__(self, content: bytes) -> None:
        import onnxruntime  # type: ignore[import-untyped]

        try:
            self._session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
        except Exception as error:  # the runtime's exceptions have no common base class
            raise BadInputError(f"not an ONNX model: {one_line(error, 200)}") from None
        names = [i.name for i in self._session.get_inputs()], [o.name for o in self._session.get_outputs()]
        if names != ([INPUT], [OUTPUT]):
            raise BadInputError(f"this ONNX model breaks the contract: inputs {names[0]}, outputs {names[1]}")

    def __call__(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict levels (N, 4) for normalised pictures (N, 3, 224, 224)."""
        (levels,) = self._session.run([OUTPUT], {INPUT: pictures})
        return np.asarray(levels, np.float32)

    def predict(self, split: SplitPixels) -> NDArray[np.float32]:
        """Predict levels (N, 4) for the pictures of a split."""
        parts = [self(as_the_api_does(split.pixels[part])) for part in batches(len(split), BATCH)]
        return np.concatenate(parts)
