"""The schedules of a training: learning rate and weight averaging."""

import math

import torch
from torch import nn

WARM_UP_SHARE = 0.05
FINAL_SHARE = 0.01
EMA_DECAY = 0.998


def learning_rate(step: int, total: int, highest: float) -> float:
    """Linear warm-up over the first 5 % of the steps, then cosine decay to 1 % of the highest rate.

    Args:
        step: Index of the step, from 0.
        total: Number of steps of the whole training.
        highest: The rate at the end of the warm-up.
    """
    warm_up = max(1, round(WARM_UP_SHARE * total))
    if step < warm_up:
        return highest * (step + 1) / warm_up
    progress = (step - warm_up) / max(1, total - warm_up)
    cosine = (1 + math.cos(math.pi * min(progress, 1.0))) / 2
    return highest * (FINAL_SHARE + (1 - FINAL_SHARE) * cosine)


def ema_decay(step: int) -> float:
    """The decay of the weight average (EMA) at this step. It is lower in the first steps."""
    return min(EMA_DECAY, (1 + step) / (10 + step))


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, decay: float) -> None:
    """Update a moving average of a model's weights and buffers, with `decay` as the weight of the old average."""
    for mean, new in zip(average.state_dict().values(), model.state_dict().values(), strict=True):
        if mean.is_floating_point():
            mean.lerp_(new, 1 - decay)
        else:
            mean.copy_(new)
