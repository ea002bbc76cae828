"""Where a training is."""

import math
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Progress:
    """The epoch and its step that come next, and what was measured so far; a checkpoint holds it.

    Where all steps of an epoch are done, and it is still the same epoch, the validation comes next.
    """

    epoch: int = 1
    step: int = 0
    loss_sum: float = 0.0
    images_per_second: float = 0.0
    micro_batch: int = 0
    best_epoch: int = 0
    best_mae: float = math.inf
    history: list[dict[str, Any]] = field(default_factory=list)


def clock(seconds: float) -> str:
    """A duration as hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
