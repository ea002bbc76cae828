"""The progress of a training: part of its checkpoint, and reported in the log."""

import logging
import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from wakee_train.records import Epoch

logger = logging.getLogger(__name__)


@dataclass
class Progress:
    """The next epoch and step, and the measurements so far. Part of the checkpoint.

    If all steps of the current epoch are done, its validation comes next.

    Attributes:
        epoch: The current epoch, from 1.
        step: Number of steps done in it.
        loss_sum: Sum of the losses of these steps.
        images_per_second: Speed of the last steps.
        micro_batch: Number of pictures that are computed at a time.
        best_epoch: The epoch with the lowest validation MAE; 0: none yet, or the champion was chosen at the end.
        best_mae: The lowest validation MAE.
        history: The finished epochs.
        champion_mae: Validation MAE before the first step (epoch 0), if the training starts from a champion.
        alpha: Share of the trained weights in the chosen mixture with the champion's.
        maes: Validation MAE of each such mixture, by its alpha.
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
    maes: dict[float, float] = field(default_factory=dict)

    def finished_epoch(self, errors: np.ndarray, steps: int, rate: float) -> Epoch:
        """Describe the current epoch, after all its steps and its validation.

        Args:
            errors: Validation MAE per emotion, shape (4,).
            steps: Number of steps of the epoch.
            rate: The learning rate of the last step.
        """
        return Epoch(
            epoch=self.epoch,
            train_loss=round(self.loss_sum / steps, 6),
            validation_mae=round(float(errors.mean()), 6),
            validation_mae_per_emotion=[round(float(error), 6) for error in errors],
            learning_rate=rate,
            images_per_second=round(self.images_per_second, 1),
            finished_at=round(time.time(), 3),
        )

    def choose(self, alpha: float, maes: dict[float, float]) -> None:
        """Set and log the chosen share of the trained weights, and the validation MAE of each share, 0 to 3."""
        self.alpha, self.maes, self.best_mae = alpha, maes, maes[alpha]
        if alpha == 0:
            self.best_epoch = 0
        each = ", ".join(f"{share:g}: {mae:.4f}" for share, mae in maes.items())
        which = f"epoch {self.best_epoch}" if alpha else "unchanged champion"
        logger.info("validation MAE per share of the trained weights: %s. Chosen: %g (%s)", each, alpha, which)


def log_epoch(done: Epoch, progress: Progress, epochs: int) -> None:
    """Log the measurements of a finished epoch, and the best one so far."""
    logger.info(
        "epoch %d/%d done: loss %.4f, validation MAE %.4f (best %.4f in epoch %d), %.1f images/s",
        done.epoch,
        epochs,
        done.train_loss,
        done.validation_mae,
        progress.best_mae,
        progress.best_epoch,
        done.images_per_second,
    )


def log_step(progress: Progress, epochs: int, steps: int, images_per_second: float, steps_per_second: float) -> None:
    """Log where the training is, and the remaining time at this speed."""
    remaining = (epochs - progress.epoch + 1) * steps - progress.step
    logger.info(
        "epoch %d/%d step %d/%d: loss %.4f, %.1f images/s, %s to go",
        progress.epoch,
        epochs,
        progress.step,
        steps,
        progress.loss_sum / progress.step,
        images_per_second,
        clock(remaining / steps_per_second),
    )


def clock(seconds: float) -> str:
    """Format a duration as hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"
