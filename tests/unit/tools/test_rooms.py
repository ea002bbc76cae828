"""Each room of wakee_tools imports only itself, what is shared, and rooms below it."""

import ast
from pathlib import Path

import pytest

import wakee_tools

ROOMS = ["cluster", "images", "airflow", "deploy", "environments", "develop"]
"""From the bottom up."""
ROOT = Path(wakee_tools.__file__).parent
SHARED = {path.stem for path in ROOT.glob("*.py")} - {"cli", "__init__"}


def imported(folder):
    """The rooms and shared modules that the modules of a folder import, anywhere in their code."""
    nodes = [node for path in folder for node in ast.walk(ast.parse(path.read_text()))]
    names = [node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)]
    dotted = [name.split(".") for name in names if name.startswith("wakee_tools.")]
    plain = [
        alias.name for n in nodes if isinstance(n, ast.ImportFrom) and n.module == "wakee_tools" for alias in n.names
    ]
    return {parts[1] for parts in dotted} | set(plain)


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_no_outer_one(room):
    below = set(ROOMS[: ROOMS.index(room) + 1])
    assert imported((ROOT / room).rglob("*.py")) - SHARED <= below


def test_what_is_shared_imports_no_room():
    assert imported(ROOT / f"{name}.py" for name in SHARED) <= SHARED


def test_every_folder_is_a_room():
    assert {path.name for path in ROOT.iterdir() if (path / "__init__.py").exists()} == set(ROOMS)
