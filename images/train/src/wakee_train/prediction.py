"""What a model says about the pictures of a split."""

import numpy as np
import torch

from wakee_train.backbone import EmotionRegressor, normalised
from wakee_train.pictures import centre_crop
from wakee_train.split_pixels import SplitPixels, batches

INFERENCE_BATCH = 64


@torch.inference_mode()
def predict(model: EmotionRegressor, split: SplitPixels, device: torch.device) -> np.ndarray:
    """Levels (N, 4) for the pictures of a split, seen exactly as the Wakee API sees them, in full precision."""
    model = model.eval()
    levels = [np.empty((0, 4), np.float32)]
    for part in batches(len(split), INFERENCE_BATCH):
        pixels = torch.from_numpy(np.ascontiguousarray(centre_crop(split.pixels[part]))).to(device)
        levels.append(model(normalised(pixels)).float().cpu().numpy())
    return np.concatenate(levels)
