"""What `--deterministic` switches on, and that it is switched off again."""

import os

import pytest
import torch
from wakee_common.errors import ConfigurationError
from wakee_train.training.determinism import WORKSPACE, deterministic

from .small_trainings import run, same, trainer
from .two_processes import pixels


def flags():
    cudnn = torch.backends.cudnn
    return torch.are_deterministic_algorithms_enabled(), cudnn.deterministic, cudnn.benchmark, cudnn.allow_tf32


def test_deterministic_algorithms_and_full_precision(monkeypatch):
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    before = flags()

    with deterministic(True):
        inside = flags()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == WORKSPACE

    assert inside == (True, True, False, False)
    assert flags() == before


def test_nothing_changes_unless_it_is_wanted():
    before = flags()
    with deterministic(False):
        assert flags() == before


def test_an_operator_without_a_deterministic_algorithm_is_named_with_the_remedy():
    said = "scatter_cuda does not have a deterministic implementation, but you set ..."
    with pytest.raises(ConfigurationError, match=r"scatter_cuda.*Switch `deterministic` off"), deterministic(True):
        raise RuntimeError(said)
    with pytest.raises(RuntimeError, match="something else"), deterministic(True):
        raise RuntimeError("something else")


def test_two_trainings_with_it_end_with_the_same_weights():
    trained = []
    for _ in range(2):
        with deterministic(True):
            trained.append(trainer((pixels(20, 1), pixels(6, 2)), epochs=1))
            run(trained[-1])
    assert same(trained[0].best, trained[1].best)
