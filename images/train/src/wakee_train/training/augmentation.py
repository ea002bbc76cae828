"""Data augmentation: shifts, mirroring, contrast and brightness. Deterministic for a seed, epoch and step."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from wakee_common.pictures import Pixels
from wakee_contract.pictures import CROPPED, RESIZED

LARGEST_SHIFT = 12
"""Largest shift of the crop from the centre, in pixels."""
LIGHT = 0.15
"""Largest relative change of brightness and contrast."""


def shuffled(size: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """A random order of the samples for an epoch, shape (size,)."""
    return np.random.default_rng((seed, epoch)).permutation(size)


def places_and_mirrors(count: int, chance: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Draw each picture's crop position near its centre, shape (count, 2), and whether to mirror it (one in two)."""
    centre = (RESIZED - CROPPED) // 2
    places = centre + chance.integers(-LARGEST_SHIFT, LARGEST_SHIFT + 1, (count, 2))
    return places, chance.random(count) < 0.5


def crop_and_mirror(pixels: Pixels, places: NDArray[np.int64], mirrored: NDArray[np.bool_]) -> Pixels:
    """Crop pictures (N, 256, 256, 3) at these places to (N, 224, 224, 3), and mirror some."""
    crops = np.empty((len(pixels), CROPPED, CROPPED, 3), np.uint8)
    for index, ((top, left), mirror) in enumerate(zip(places, mirrored, strict=True)):
        crop = pixels[index, top : top + CROPPED, left : left + CROPPED]
        if mirror:
            # Copy channel by channel, because NumPy copies reversed pixels of three bytes byte by byte.
            for channel in range(3):
                crops[index, :, :, channel] = crop[:, ::-1, channel]
        else:
            crops[index] = crop
    return crops


def light_factors(count: int, chance: np.random.Generator) -> Tensor:
    """Draw a contrast factor and a brightness factor for each picture, shape (2, count, 1, 1, 1)."""
    factors = chance.uniform(1 - LIGHT, 1 + LIGHT, (2, count, 1, 1, 1))
    return torch.from_numpy(factors.astype(np.float32))


def relit(normalised: Tensor, factors: Tensor) -> Tensor:
    """Change contrast (around zero, ImageNet's mean) and brightness of normalised pictures, on their device."""
    contrast, brightness = factors
    changed: Tensor = normalised * contrast
    return changed.add_((brightness - 1) * 2)
