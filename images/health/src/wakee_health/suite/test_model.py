"""The production model works."""

from pathlib import Path

import numpy as np
from wakee_common.files import sha256_of
from wakee_common.hub import Head
from wakee_contract.emotions import EMOTIONS
from wakee_contract.model import ONNX

from wakee_health.probes.api import predict
from wakee_health.probes.faces import draw_face
from wakee_health.probes.hub import missing_files
from wakee_health.probes.model import Model, preprocess
from wakee_health.probes.web import Site

TOLERANCE = 0.01


def test_repository_has_its_files(head: Head) -> None:
    """The repository has the model, its weights and its card."""
    assert missing_files(head) == []


def test_digest(model_file: Path, head: Head) -> None:
    """The file has the digest that the Hub reports."""
    assert sha256_of(model_file) == head.digests.get(ONNX)


def test_inference(model: Model) -> None:
    """The model gives four finite numbers for a face."""
    levels = model(preprocess(draw_face())[None])
    assert levels.shape == (1, len(EMOTIONS))
    assert np.isfinite(levels).all()


def test_batches_change_nothing(model: Model) -> None:
    """A picture gets the same levels alone and in a batch."""
    one = preprocess(draw_face())[None]
    np.testing.assert_allclose(model(np.repeat(one, 3, axis=0)), np.repeat(model(one), 3, axis=0), atol=1e-3)


def test_pictures_matter(model: Model) -> None:
    """The model gives different levels for a face and for a grey picture."""
    face = preprocess(draw_face())[None]
    assert np.abs(model(face) - model(np.zeros_like(face))).max() > 0


def test_api_serves_this_model(model: Model, api: Site, face: bytes) -> None:
    """The API predicts the same levels as the Hub's model."""
    np.testing.assert_allclose(predict(api, face), model.predict(draw_face()), atol=TOLERANCE)
