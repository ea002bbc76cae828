"""Bit-equal trainings on a GPU: deterministic algorithms and full float32, at the cost of speed.

Without these settings, two trainings with the same seed and data on the same GPU end with slightly different weights,
because sums are formed in another order, and because TF32 and the choice of cuDNN algorithms depend on the hardware. On
a CPU, trainings with the same number of threads are bit-equal in any case.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from wakee_common.errors import ConfigurationError, one_line

TORCH_SAYS = "does not have a deterministic implementation"
WORKSPACE = ":4096:8"
"""cuBLAS is deterministic only with a workspace of fixed size, which it reads from the environment when it starts."""


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Inside this context, choose deterministic algorithms and full float32 if wanted.

    Enter it before the first CUDA call.

    Raises:
        ConfigurationError: an operator has no deterministic algorithm.
    """
    if not wanted:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", WORKSPACE)
    torch.use_deterministic_algorithms(True)
    try:
        # Matrix products use full float32 by default; cuDNN's convolutions do not.
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    except RuntimeError as error:
        if TORCH_SAYS not in str(error):
            raise
        raise ConfigurationError(
            f"Cannot train deterministically: {one_line(error, 200)}. "
            "Switch `deterministic` off, or choose another backbone"
        ) from error
    finally:
        torch.use_deterministic_algorithms(before)
