"""Predictions of a model for the pictures of a split."""

import logging
from collections.abc import Callable, Iterator

import numpy as np
import torch
from wakee_common.pictures import Pixels, centre_crop

from wakee_train.data.shards import SplitPixels
from wakee_train.training.backbone import EmotionRegressor, normalised

logger = logging.getLogger(__name__)

INFERENCE_BATCH = 64


def predict(model: EmotionRegressor, split: SplitPixels, device: torch.device) -> np.ndarray:
    """Predict levels (N, 4) for the pictures of a split, preprocessed exactly as in the Wakee API, in fp32."""
    return np.concatenate([np.empty((0, 4), np.float32), *predictions(model, split, device)])


def mean_errors(
    model: EmotionRegressor, split: SplitPixels, device: torch.device, should_stop: Callable[[], bool]
) -> np.ndarray | None:
    """Compute the MAE per emotion, shape (4,). Returns None if stopped, because a pod's grace period is short."""
    parts = [np.empty((0, 4), np.float32)]
    for part in predictions(model, split, device):
        parts.append(part)
        if should_stop():
            return None
    errors: np.ndarray = np.abs(np.concatenate(parts) - split.labels).mean(axis=0)
    return errors


@torch.inference_mode()
def predictions(model: EmotionRegressor, split: SplitPixels, device: torch.device) -> Iterator[np.ndarray]:
    """Yield the predictions batch by batch. Out-of-memory errors reduce the batch size."""
    model, done, size = model.eval(), 0, INFERENCE_BATCH
    while done < len(split):
        try:
            levels = _levels(model, split.pixels[done : done + size], device)
        except torch.OutOfMemoryError:
            if size == 1:
                raise
            size //= 2
            torch.cuda.empty_cache()
            logger.warning("out of memory: the model now predicts %d pictures at a time", size)
        else:
            yield levels
            done += len(levels)


def _levels(model: EmotionRegressor, pixels: Pixels, device: torch.device) -> np.ndarray:
    pictures = torch.from_numpy(np.ascontiguousarray(centre_crop(pixels))).to(device)
    levels: np.ndarray = model(normalised(pictures)).float().cpu().numpy()
    return levels
