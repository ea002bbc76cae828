"""How the Wakee API prepares a picture for the model: RGB, resize, centre crop, scale to [0, 1], normalise."""

from typing import Final

RESIZED: Final = 256
"""Pixels per side after the resize, which is bilinear and ignores the aspect ratio."""
CROPPED: Final = 224
"""Pixels per side of the centre crop, which is the model's input."""
MEAN: Final = (0.485, 0.456, 0.406)
DEVIATION: Final = (0.229, 0.224, 0.225)
"""ImageNet's mean and standard deviation of red, green and blue, for pixels in [0, 1]."""
