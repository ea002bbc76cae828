"""Find the image sizes at which a backbone works if it does not work at the requested one."""

import time
from collections.abc import Callable, Iterable

from wakee_contract.parameters import RETRAIN

from wakee_train.training.backbone import native_size

STRIDES = (8, 14)
"""Candidate sizes are multiples of these: half of the usual patch size, and DINOv2's patch size."""
NEAR = 32
FAR_STRIDE = 32
SECONDS = 120.0
"""Time limit: after this, no further size is tried."""


def working_sizes(works: Callable[[int], bool], backbone: str, image_size: int) -> list[int]:
    """Find the nearest smaller and the nearest larger size that work; each is missing if none was found.

    Args:
        works: Whether a size works.
        backbone: Name of the backbone. Its default size is always tried.
        image_size: The size that does not work.
    """
    deadline = time.monotonic() + SECONDS
    below, above = near_sizes(image_size, native_size(backbone))
    found = [_first(works, sizes, deadline) for sizes in (below, above)]
    return [size for size in found if size is not None]


def near_sizes(image_size: int, native: int) -> tuple[list[int], list[int]]:
    """List the sizes to try in the parameter's range: smaller ones and larger ones, nearest first."""
    lowest, highest = int(RETRAIN["image_size"].minimum or 1), int(RETRAIN["image_size"].maximum or native)
    sizes = {native, *range(FAR_STRIDE, highest + 1, FAR_STRIDE)}
    for stride in STRIDES:
        sizes |= {size for size in range(stride, highest + 1, stride) if abs(size - image_size) <= NEAR}
    allowed = sorted(size for size in sizes if lowest <= size <= highest)
    return [s for s in reversed(allowed) if s < image_size], [s for s in allowed if s > image_size]


def _first(works: Callable[[int], bool], sizes: Iterable[int], deadline: float) -> int | None:
    return next((size for size in sizes if time.monotonic() < deadline and works(size)), None)
