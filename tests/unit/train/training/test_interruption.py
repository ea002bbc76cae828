"""SIGTERM in the middle of a library's work ends the stage; it is no fault of the file that was worked on."""

import os
import signal
from pathlib import Path

import onnxruntime
import pytest
import torch
from wakee_common import stage
from wakee_common.errors import InterruptedStageError
from wakee_train.evaluation import quantization
from wakee_train.evaluation.onnx_model import OnnxModel
from wakee_train.training.weights import load_pickled

from ..evaluation.int8_examinations import examination
from .two_processes import pixels


@pytest.fixture
def told_to_stop(monkeypatch):
    """Lets a library's function get SIGTERM while it works, handled as in a stage."""
    before = signal.signal(signal.SIGTERM, stage._interrupt)
    yield lambda library, name: monkeypatch.setattr(
        library, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM)
    )
    signal.signal(signal.SIGTERM, before)


def test_a_pickled_file_is_not_blamed(told_to_stop):
    told_to_stop(torch, "load")

    with pytest.raises(InterruptedStageError):
        load_pickled(Path("pytorch_model.bin"))


def test_an_onnx_file_is_not_blamed(told_to_stop):
    told_to_stop(onnxruntime, "InferenceSession")

    with pytest.raises(InterruptedStageError):
        OnnxModel(b"a model")


def test_int8_is_not_given_up(told_to_stop, environment):
    told_to_stop(quantization, "quantised")

    with pytest.raises(InterruptedStageError):
        quantization.int8_variant(
            environment.store, environment.store.uri("x"), b"a model", pixels(2, 1), examination(pixels(2, 2), 0.1)
        )
