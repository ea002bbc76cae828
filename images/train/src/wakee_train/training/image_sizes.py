"""At which sizes a backbone works that does not work at the one asked for."""

import time
from collections.abc import Callable, Iterable

from wakee_contract.parameters import RETRAIN

from wakee_train.training.backbone import native_size

STRIDES = (8, 14)
"""Sizes near the one asked for are multiples of these: of half a usual patch, and of DINOv2's patch."""
NEAR = 32
FAR_STRIDE = 32
SECONDS = 120.0
"""After which no further size is tried."""


def working_sizes(works: Callable[[int], bool], backbone: str, image_size: int) -> list[int]:
    """The nearest smaller and the nearest larger size that work, as far as they were found.

    Args:
        works: Whether a size works.
        backbone: Name of the backbone; the size it was made for is tried in any case.
        image_size: The size that does not work.
    """
    deadline = time.monotonic() + SECONDS
    below, above = near_sizes(image_size, native_size(backbone))
    found = [_first(works, sizes, deadline) for sizes in (below, above)]
    return [size for size in found if size is not None]


def near_sizes(image_size: int, native: int) -> tuple[list[int], list[int]]:
    """Sizes to try, in the range of the form: the smaller and the larger ones, each the nearest first."""
    lowest, highest = int(RETRAIN["image_size"].minimum or 1), int(RETRAIN["image_size"].maximum or native)
    sizes = {native, *range(FAR_STRIDE, highest + 1, FAR_STRIDE)}
    for stride in STRIDES:
        sizes |= {size for size in range(stride, highest + 1, stride) if abs(size - image_size) <= NEAR}
    allowed = sorted(size for size in sizes if lowest <= size <= highest)
    return [s for s in reversed(allowed) if s < image_size], [s for s in allowed if s > image_size]


def _first(works: Callable[[int], bool], sizes: Iterable[int], deadline: float) -> int | None:
    return next((size for size in sizes if time.monotonic() < deadline and works(size)), None)
