"""What `--deterministic` switches on, and that it is switched off again."""

import os

import torch
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


def test_a_training_has_only_deterministic_operators():
    """On a CPU. Otherwise torch raises an error that names the operator."""
    trained = []
    for _ in range(2):
        with deterministic(True):
            trained.append(trainer((pixels(20, 1), pixels(6, 2)), epochs=1))
            run(trained[-1])
    assert same(trained[0].best, trained[1].best)
