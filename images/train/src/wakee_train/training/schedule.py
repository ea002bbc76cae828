"""Progress of a training, and the schedules that depend on it: learning rate and weight averaging."""

import math
from dataclasses import dataclass, field
from typing import Any

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


@dataclass
class Progress:
    """The next epoch and step, and the measurements so far. Part of the checkpoint.

    If all steps of the current epoch are done, its validation comes next.
    """

    epoch: int = 1
    step: int = 0
    loss_sum: float = 0.0
    images_per_second: float = 0.0
    micro_batch: int = 0
    best_epoch: int = 0
    best_mae: float = math.inf
    history: list[dict[str, Any]] = field(default_factory=list)
    champion_mae: float | None = None
    alpha: float = 1.0
    mae_of_alphas: dict[float, float] = field(default_factory=dict)


def clock(seconds: float) -> str:
    """Format a duration as hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
