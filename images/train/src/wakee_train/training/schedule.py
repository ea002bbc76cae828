"""The schedules of a training: learning rate and weight averaging."""

import math

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

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


class WeightAverage:
    """An exponential moving average of a model's weights and buffers.

    Args:
        average: Holds the average, and is changed.
        model: The trained model, with the same structure.
    """

    def __init__(self, average: nn.Module, model: nn.Module) -> None:
        pairs = list(zip(average.state_dict().values(), model.state_dict().values(), strict=True))
        averaged = [pair for pair in pairs if pair[0].is_floating_point()]
        self._means, self._news = [mean for mean, _ in averaged], [new for _, new in averaged]
        self._copied = [pair for pair in pairs if not pair[0].is_floating_point()]

    @torch.no_grad()
    def update(self, decay: float) -> None:
        """Update the average, with `decay` as the weight of the old one. Integers are copied."""
        get_ema_multi_avg_fn(decay)(self._means, self._news, None)  # type: ignore[no-untyped-call]
        for old, new in self._copied:
            old.copy_(new)
