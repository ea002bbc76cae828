"""Measure the properties of a picture that show what the camera did."""

import numpy as np
from numpy.typing import NDArray

from wakee_common.training_sample import PictureStatistics

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue (ITU-R BT.601)."""
DIGITS = 6


def measure_picture(pixels: NDArray[np.uint8], width: int, height: int) -> PictureStatistics:
    """Measure a prepared picture, shape (256, 256, 3) RGB, whose file has a picture of this width and height."""
    luma = pixels.astype(np.float32) @ np.array(LUMA, np.float32) / 255
    laplacian = luma[:-2, 1:-1] + luma[2:, 1:-1] + luma[1:-1, :-2] + luma[1:-1, 2:] - 4 * luma[1:-1, 1:-1]
    brightness, contrast, sharpness = (
        round(float(value), DIGITS) for value in (luma.mean(), luma.std(), laplacian.std())
    )
    return PictureStatistics(brightness, contrast, sharpness, width, height)
