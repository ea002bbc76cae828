"""Learning rate and weight averaging as functions of the step alone, so that a resumed training goes on as it was."""

import math

WARM_UP_SHARE = 0.05
FINAL_SHARE = 0.01
EMA_DECAY = 0.998


def learning_rate(step: int, total: int, highest: float) -> float:
    """Linear warm-up over the first twentieth, then a cosine down to a hundredth of the highest.

    Args:
        step: Number of the step, from 0.
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
    """How much of the average stays at this step; less in the beginning, when the average knows nothing yet."""
    return min(EMA_DECAY, (1 + step) / (10 + step))
