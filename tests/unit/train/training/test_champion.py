"""A training from a champion: compared with it, and mixed with it."""

from typing import Any

import numpy as np
import pytest
import torch
from wakee_common.errors import BadInputError
from wakee_train.data.shards import SplitPixels
from wakee_train.training.prediction import predict
from wakee_train.training.trainer import Trainer
from wakee_train.training.weights import State, copy_state

from .small_trainings import CPU, run, same, trainer
from .two_processes import pixels

Splits = tuple[SplitPixels, SplitPixels]


@pytest.fixture(scope="module")
def data() -> Splits:
    return pixels(40, 1), pixels(10, 2)


@pytest.fixture(scope="module")
def whole(data: Splits) -> Trainer:
    """A training that went through."""
    done = challenger(data)
    run(done)
    return done


def challenger(data: Splits, **changes: Any) -> Trainer:
    return trainer(data, from_champion=True, **changes)


def champion(data: Splits) -> State:
    return copy_state(trainer(data).model.backbone)


def test_where_no_epoch_is_better_the_champion_stays(data, caplog):
    right = predict(trainer(data).model, data[1], CPU)
    learner = challenger((data[0], SplitPixels(data[1].names, data[1].pixels, right)))
    with caplog.at_level("INFO"):
        run(learner)

    assert same(learner.best, champion(data))
    assert (learner.progress.alpha, learner.progress.best_epoch, learner.progress.best_mae) == (0, 0, 0)
    assert len(learner.progress.history) == 3
    assert "epoch 0, the champion: validation MAE 0.0000" in caplog.text
    assert "Chosen: 0 (unchanged champion)" in caplog.text


def test_the_best_of_all_alphas_is_chosen(data, whole):
    progress = whole.progress

    assert list(progress.maes) == [0, 0.25, 0.5, 0.75, 1]
    assert progress.best_mae == min(progress.maes.values()) == progress.maes[progress.alpha]
    assert progress.maes[0] == progress.champion_mae
    assert progress.maes[1] == min(epoch["validation_mae"] for epoch in progress.history)
    # The chosen weights have the MAE that the record says.
    learner = trainer(data)
    learner.model.backbone.load_state_dict(whole.best)
    errors = np.abs(predict(learner.model, data[1], CPU) - data[1].labels)
    assert errors.mean() == pytest.approx(progress.best_mae, abs=1e-5)


def test_without_a_champion_nothing_is_mixed(data):
    learner = trainer(data, epochs=1)
    run(learner)

    assert (learner.progress.champion_mae, learner.progress.maes, learner.progress.alpha) == (None, {}, 1)
    assert learner.champion == {}


@pytest.mark.parametrize("steps", [2, 3, 5])
def test_a_resumed_training_ends_as_an_uninterrupted_one(data, whole, steps):
    resumed = resumed_from(data, run(challenger(data), steps)[-1])
    run(resumed)

    assert same(resumed.best, whole.best)
    assert resumed.progress.maes == whole.progress.maes


@pytest.mark.parametrize("batches", [1, 2, 4])
def test_a_training_that_is_stopped_while_it_chooses_chooses_again(data, whole, batches):
    learner, saved, asked = challenger(data), [], iter(range(100))

    def stop() -> bool:
        return len(learner.progress.history) == 3 and learner.progress.step == 0 and next(asked) >= batches

    assert not learner.run(stop, lambda: saved.append(learner.state()))
    assert learner.progress.maes == {}

    resumed = resumed_from(data, saved[-1])
    run(resumed)
    assert same(resumed.best, whole.best)
    assert resumed.progress.alpha == whole.progress.alpha


def resumed_from(data: Splits, checkpoint: dict[str, Any]) -> Trainer:
    """A trainer in another process: its own weights and random numbers do not matter."""
    torch.manual_seed(99)
    learner = challenger(data)
    with torch.no_grad():
        for parameter in learner.model.parameters():
            parameter.add_(1)
    learner.resume(checkpoint)
    return learner


def test_a_stop_before_the_first_step_leaves_nothing(data):
    learner, saved = challenger(data), []

    assert not learner.run(lambda: True, lambda: saved.append(1))
    assert (saved, learner.progress.step) == ([], 0)


def test_a_champion_whose_outputs_are_no_numbers_is_refused(data):
    learner = challenger(data)
    next(learner.average.parameters()).data.fill_(np.nan)

    with pytest.raises(BadInputError, match="Cannot train from the production weights: their validation MAE is nan"):
        run(learner)
