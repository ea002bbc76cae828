"""The four emotions, their order and their scale."""

from typing import Final

EMOTIONS: Final = ("boredom", "confusion", "engagement", "frustration")
"""Order of the model's four outputs, of every array axis and of every column group."""

LOWEST_LEVEL: Final = 0.0
HIGHEST_LEVEL: Final = 3.0
"""Bounds of a label, inclusive: 0 is "not at all", 3 is "very strongly"."""

HALF_A_STEP: Final = 0.05
"""People correct with sliders in steps of 0.1. A smaller difference from the prediction means an untouched slider."""

ENOUGH_ANSWERS: Final = 5
"""People with fewer annotated pictures are not counted as always answering the same: two equal answers mean nothing."""

LEVELS: Final = 4
"""Number of levels to which a label or a prediction is rounded: 0, 1, 2, 3."""
