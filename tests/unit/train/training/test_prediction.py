"""Predictions for a whole split, with too little memory for a batch of it."""

import numpy as np
import pytest
import torch
from wakee_train.training.backbone import make_model
from wakee_train.training.prediction import predict

from .small_trainings import CPU, Cramped
from .two_processes import pixels


@pytest.mark.parametrize("room", [64, 63, 20, 1])
def test_too_little_memory_for_validation_makes_smaller_batches(caplog, room):
    split, model = pixels(70, 1), make_model("test_efficientnet", 32)
    expected = predict(model, split, CPU)
    model.backbone = Cramped(model.backbone, room)

    with caplog.at_level("WARNING"):
        found = predict(model, split, CPU)

    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert caplog.text.count("out of memory") == {64: 0, 63: 1, 20: 2, 1: 6}[room]


def test_too_little_memory_to_validate_one_picture_is_an_error():
    model = make_model("test_efficientnet", 32)
    model.backbone = Cramped(model.backbone, 0)

    with pytest.raises(torch.OutOfMemoryError):
        predict(model, pixels(3, 1), CPU)
