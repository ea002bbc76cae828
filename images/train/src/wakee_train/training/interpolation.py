"""Mixtures of the champion's weights and the trained ones, chosen on validation (WiSE-FT, arXiv 2109.01903)."""

import copy
from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn

from wakee_train.data.pictures import centre_crop
from wakee_train.data.shards import SplitPixels, training_batches
from wakee_train.training.backbone import EmotionRegressor, normalised
from wakee_train.training.prediction import INFERENCE_BATCH
from wakee_train.training.weights import State

STATISTICS_PICTURES = 1024
"""Training pictures from which the batch statistics of a mixture are estimated."""


def interpolated(champion: State, trained: State, alpha: float) -> State:
    """Mix two states of the same model: `(1 - alpha) * champion + alpha * trained`. Integers are the trained ones."""
    return {
        name: torch.lerp(champion[name], tensor, alpha) if tensor.is_floating_point() else tensor
        for name, tensor in trained.items()
    }


def mixture(
    model: EmotionRegressor,
    states: tuple[State, State],
    alpha: float,
    train: SplitPixels,
    device: torch.device,
    should_stop: Callable[[], bool],
) -> EmotionRegressor:
    """Create the model between the champion (alpha 0) and the trained one (alpha 1).

    The running statistics of batch normalization belong to the weights with which they were measured, so those of a
    mixture are estimated again, on training pictures. At both ends they stay what they were.

    Args:
        model: A model of the same kind. It is not changed.
        states: The backbone's states of champion and trained model.
        alpha: Share of the trained weights, 0 to 1.
        train: The training split.
        device: Where to compute.
        should_stop: Called after every batch. After a stop the statistics are incomplete.
    """
    mixed = copy.deepcopy(model).to(device)
    mixed.backbone.load_state_dict(states[round(alpha)] if alpha in (0, 1) else interpolated(*states, alpha))
    if alpha not in (0, 1):
        torch.manual_seed(0)  # for dropout, if the backbone has any
        update_bn(_pictures(train.spread(STATISTICS_PICTURES), should_stop), mixed, device)
    return mixed.eval()


def _pictures(train: SplitPixels, should_stop: Callable[[], bool]) -> Iterator[Tensor]:
    """Yield normalised pictures in batches until told to stop. The pictures are in another order than in the split."""
    order = np.random.default_rng(0).permutation(len(train))
    for part in training_batches(len(train), INFERENCE_BATCH):
        if should_stop():
            return
        yield normalised(torch.from_numpy(centre_crop(train.pixels[order[part]]).copy()))
