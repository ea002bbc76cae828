"""torchvision's compiled operators, or stubs if its library does not fit the installed torch.

PyPI's torchvision for Linux on x86 is built for CUDA. With a CPU build of torch its library does not load, because
CUDA's libraries are missing, and `import torchvision` fails because its operators are not defined. With a CUDA build of
torch the library loads, also on machines without a GPU, and a second definition of its operators aborts the process.
"""

import functools
import importlib.util
from importlib.machinery import PathFinder
from pathlib import Path
from typing import Any

import torch

LIBRARY = "_C"
OPERATORS = ("nms", "qnms")
SIGNATURE = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"


@functools.cache
def ensure_operators() -> Any:
    """Make `import torchvision` possible: load its operators, else define them without an implementation.

    Nothing here calls them, so their signatures are sufficient.

    Returns:
        The library object of the stubs, or None without stubs. The cache keeps it alive, and with it the definitions.
    """
    if loads(library()):
        return None
    stand_ins = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for name in OPERATORS:
        stand_ins.define(f"{name}{SIGNATURE}")  # type: ignore[no-untyped-call]
    return stand_ins


def library() -> Path | None:
    """Find the compiled library of the installed torchvision without importing it; None if there is none."""
    package = importlib.util.find_spec("torchvision")
    folders = list(package.submodule_search_locations or ()) if package else []
    found = PathFinder.find_spec(LIBRARY, folders)
    return Path(found.origin) if found and found.origin else None


def loads(path: Path | None) -> bool:
    """Load a library of operators. Returns False if it does not fit the installed torch."""
    if path is None:
        return False
    try:
        torch.ops.load_library(path)  # type: ignore[no-untyped-call]
    except OSError:
        return False
    return True
