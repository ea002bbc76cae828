"""An ONNX model that predicts the pictures of a split, preprocessed exactly as in the Wakee API."""

import numpy as np
from numpy.typing import NDArray
from wakee_common.onnx_session import open_session
from wakee_common.pictures import as_the_api_does
from wakee_contract.model import INPUT, OUTPUT

from wakee_train.data.shards import SplitPixels, batches

BATCH = 32


class OnnxModel:
    """A model that meets the contract: `input` (N, 3, 224, 224), `output` (N, 4).

    Raises:
        BadInputError: the file is not an ONNX model, or does not meet the contract.
    """

    def __init__(self, content: bytes) -> None:
        self._session = open_session(content, OUTPUT, "breaks the contract")

    def __call__(self, pictures: NDArray[np.float32]) -> NDArray[np.float32]:
        """Predict levels (N, 4) for normalised pictures (N, 3, 224, 224)."""
        (levels,) = self._session.run([OUTPUT], {INPUT: pictures})
        return np.asarray(levels, np.float32)

    def predict(self, split: SplitPixels) -> NDArray[np.float32]:
        """Predict levels (N, 4) for the pictures of a split."""
        parts = [self(as_the_api_does(split.pixels[part])) for part in batches(len(split), BATCH)]
        return np.concatenate(parts)
