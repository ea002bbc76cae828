"""Embeddings of pictures: the input of the last layer of a version's model. Needs the extra `pictures`.

`evaluate` writes `features.onnx`, which computes them, and the embeddings of a sample of held-out pictures. Drift
detection computes those of new pictures with the same file.
"""

import io
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from wakee_contract.model import INPUT

from wakee_common.errors import BadInputError, one_line
from wakee_common.onnx_session import open_session
from wakee_common.pictures import Pixels, as_the_api_does

FEATURES = "features"
"""Name of the output of `features.onnx`."""


class Embeddings(NamedTuple):
    """Embeddings of pictures.

    Attributes:
        vectors: Shape (N, features).
        people: The person of each picture, shape (N,).
    """

    vectors: NDArray[np.float32]
    people: NDArray[np.int64]


class FeatureModel:
    """The model of `features.onnx`.

    Args:
        source: Content or path of the file.

    Raises:
        BadInputError: the file is not an ONNX model with this input and output.
    """

    def __init__(self, source: bytes | Path) -> None:
        self._session = open_session(source, FEATURES, "does not output features")

    def __call__(self, pixels: Pixels) -> NDArray[np.float32]:
        """Embed prepared pictures: (N, 256, 256, 3) uint8 to (N, features). Positions of a feature are averaged."""
        (found,) = self._session.run([FEATURES], {INPUT: as_the_api_does(pixels)})
        vectors: NDArray[np.float32] = np.asarray(found, np.float32).reshape(*found.shape[:2], -1).mean(axis=2)
        return vectors


def pack_embeddings(embeddings: Embeddings) -> bytes:
    """Encode embeddings as an NPZ file. The bytes are deterministic."""
    file = io.BytesIO()
    np.savez(file, vectors=embeddings.vectors, people=embeddings.people)
    return file.getvalue()


def unpack_embeddings(content: bytes, origin: object) -> Embeddings:
    """Decode embeddings.

    Raises:
        BadInputError: the file is damaged.
    """
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            vectors, people = arrays["vectors"].astype(np.float32), arrays["people"].astype(np.int64)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise BadInputError(f"Cannot read embeddings from {origin}: {one_line(error, 200)}") from None
    if vectors.ndim != 2 or people.shape != vectors.shape[:1] or not np.isfinite(vectors).all():
        raise BadInputError(f"Cannot read embeddings from {origin}: arrays of shape {vectors.shape}, {people.shape}")
    return Embeddings(vectors, people)
