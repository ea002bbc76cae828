"""torchvision can be imported whichever builds of it and of torch are installed."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from wakee_train.training.operators import library, loads

# What is registered stays, and a wrong registration ends the process: each of these has one of its own.
A_LIBRARY_THAT_LOADS = """
import torch
from wakee_train.training import operators
def load(path):
    load.library = torch.library.Library("torchvision", "DEF")
    for name in operators.OPERATORS:
        load.library.define(name + operators.SIGNATURE)
torch.ops.load_library = load
assert operators.ensure_operators() is None
assert operators.ensure_operators() is None
torch.ops.torchvision.nms
"""
A_LIBRARY_THAT_DOES_NOT = """
import torch
from wakee_train.training import operators
def load(path):
    raise OSError("libtorch_cuda.so: cannot open shared object file")
torch.ops.load_library = load
assert operators.ensure_operators() is operators.ensure_operators() is not None
import torchvision
assert not torchvision.extension._has_ops()
"""
WHAT_IS_INSTALLED = """
from wakee_train.training import operators
from wakee_train.training.backbone import make_model
make_model("test_efficientnet", 112)
import torchvision
assert torchvision.extension._has_ops() == (operators.ensure_operators() is None)
"""
PROGRAMS = {
    "a library that loads": A_LIBRARY_THAT_LOADS,
    "a library that does not load": A_LIBRARY_THAT_DOES_NOT,
    "what is installed": WHAT_IS_INSTALLED,
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_operators_are_defined_once(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_installed_library_is_found():
    path = library()
    assert path is not None
    assert (path.parent.name, path.stem) == ("torchvision", "_C")


def test_a_library_that_fits_loads():
    assert loads(Path(torch.__file__).parent / "lib" / "libtorch_cpu.so")


def test_a_file_that_is_no_library_does_not_load(tmp_path):
    (tmp_path / "_C.so").write_bytes(b"no library")
    assert not loads(tmp_path / "_C.so")


def test_without_torchvision_nothing_loads():
    assert not loads(None)
