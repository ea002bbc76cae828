"""Mixtures of the champion's weights and the trained ones, against forgetting (WiSE-FT, arXiv 2109.01903).

Alpha is the share of the trained weights: 0 is the champion, 1 the trained model. Validation chooses, and of equal
mixtures the one that is closer to the champion.
"""

import copy
import logging
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import update_bn
from wakee_common.errors import BadInputError
from wakee_common.pictures import centre_crop

from wakee_train.data.shards import SplitPixels, training_batches
from wakee_train.training.backbone import EmotionRegressor, normalised
from wakee_train.training.prediction import INFERENCE_BATCH, mean_errors
from wakee_train.training.weights import State, copy_state

logger = logging.getLogger(__name__)

ALPHAS = (0.25, 0.5, 0.75)
"""Shares of the trained weights to try, besides 0 and 1, of which the validation MAE is known."""
DIGITS = 6
"""Decimal places of a validation MAE in the records."""
STATISTICS_PICTURES = 512
"""Most training pictures from which the batch statistics of a mixture are estimated."""
SMALLEST_BATCH = 2
"""Batch statistics of one picture may not exist."""


class Ends(NamedTuple):
    """The two models between which mixtures lie: the states of their backbones on the CPU, and their validation MAE."""

    champion: State
    champion_mae: float
    trained: State
    trained_mae: float


class Choice(NamedTuple):
    """The chosen mixture.

    Attributes:
        alpha: Share of the trained weights, 0 to 1.
        state: The state of its backbone, on the CPU.
        maes: Validation MAE of each alpha, 0 to 3.
    """

    alpha: float
    state: State
    maes: dict[float, float]


def champion_mae(
    model: EmotionRegressor, validation: SplitPixels, device: torch.device, should_stop: Callable[[], bool]
) -> float | None:
    """Measure the champion's validation MAE, 0 to 3, before the first step. None if it was stopped.

    Raises:
        BadInputError: it is not a finite number.
    """
    errors = mean_errors(model, validation, device, should_stop)
    if errors is None:
        return None
    mae = round(float(errors.mean()), DIGITS)
    if not np.isfinite(mae):
        raise BadInputError(
            f"Cannot train from the production weights: their validation MAE is {mae}. "
            "Choose start=imagenet or start=random, or roll back to an earlier version"
        )
    logger.info("epoch 0, the champion: validation MAE %.4f", mae)
    return mae


def choose_mixture(
    model: EmotionRegressor,
    ends: Ends,
    splits: tuple[SplitPixels, SplitPixels],
    device: torch.device,
    should_stop: Callable[[], bool],
) -> Choice | None:
    """Choose between the champion, the trained model and mixtures of both, by their validation MAE.

    Args:
        model: A model of the same kind. It is not changed.
        ends: Champion and trained model.
        splits: The training split, for batch statistics, and the validation split.
        device: Where to compute.
        should_stop: Called after every batch.

    Returns:
        The choice, or None if it was stopped.
    """
    train, validation = splits
    maes, alpha, state = {0.0: ends.champion_mae}, 0.0, ends.champion
    for share in ALPHAS:
        mixed = mixture(model, interpolated(ends.champion, ends.trained, share), train, device, should_stop)
        errors = mean_errors(mixed, validation, device, should_stop)
        if errors is None or should_stop():
            return None
        mae = round(float(errors.mean()), DIGITS)
        if not np.isfinite(mae):  # the mixture cannot be used
            continue
        if mae < maes[alpha]:
            alpha, state = share, copy_state(mixed.backbone)
        maes[share] = mae
    if ends.trained_mae < maes[alpha]:
        alpha, state = 1.0, ends.trained
    return Choice(alpha, state, {**maes, 1.0: ends.trained_mae})


def interpolated(champion: State, trained: State, alpha: float) -> State:
    """Mix two states of the same model: `(1 - alpha) * champion + alpha * trained`. Integers are the trained ones."""
    return {
        name: torch.lerp(champion[name], tensor, alpha) if tensor.is_floating_point() else tensor
        for name, tensor in trained.items()
    }


def mixture(
    model: EmotionRegressor, state: State, train: SplitPixels, device: torch.device, should_stop: Callable[[], bool]
) -> EmotionRegressor:
    """Create a copy of the model with this state, and estimate its batch statistics on training pictures.

    The running mean and variance of batch normalization belong to the weights with which they were measured. Those of
    a mixture are not a mixture of those of both ends, because the activations are not linear in the weights.
    """
    mixed = copy.deepcopy(model).to(device)
    mixed.backbone.load_state_dict(state)
    torch.manual_seed(0)  # for dropout, if the backbone has any
    _estimate_statistics(mixed, train.spread(STATISTICS_PICTURES), device, should_stop)
    return mixed.eval()


def _estimate_statistics(
    model: EmotionRegressor, train: SplitPixels, device: torch.device, should_stop: Callable[[], bool]
) -> None:
    """Replace the batch statistics. Out-of-memory errors reduce the batch size."""
    size = INFERENCE_BATCH
    while True:
        try:
            return update_bn(_pictures(train, size, should_stop), model, device)
        except torch.OutOfMemoryError:
            if size == SMALLEST_BATCH:
                raise
            size //= 2
            torch.cuda.empty_cache()
            logger.warning("out of memory: batch statistics are now estimated on %d pictures at a time", size)


def _pictures(train: SplitPixels, size: int, should_stop: Callable[[], bool]) -> Iterator[Tensor]:
    """Yield normalised pictures in batches until stopped. Their order is random, as old and new ones may differ."""
    order = np.random.default_rng(0).permutation(len(train))
    for part in training_batches(len(train), size):
        if should_stop():
            return
        yield normalised(torch.from_numpy(centre_crop(train.pixels[order[part]]).copy()))
