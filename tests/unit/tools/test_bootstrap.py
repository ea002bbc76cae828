"""tools/bootstrap.py: what an environment is made of. That it makes them is seen by every run of the tests."""

import ast
import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[3] / "tools" / "bootstrap.py"
spec = importlib.util.spec_from_file_location("bootstrap", PATH)
bootstrap = importlib.util.module_from_spec(spec)
spec.loader.exec_module(bootstrap)


def test_the_system_s_python_of_a_mac_can_read_it():
    ast.parse(PATH.read_text(), feature_version=(3, 9))


@pytest.mark.parametrize("name", bootstrap.NAMES)
def test_an_environment_s_lock_and_packages_exist(name):
    environment = bootstrap.environment_of(name)
    assert (bootstrap.REPO / environment.lock).exists()
    assert all((bootstrap.REPO / package / "pyproject.toml").exists() for package in environment.packages)


def test_an_environment_is_made_again_when_its_lock_changes(tmp_path, monkeypatch):
    for path in ("lock", "tests/requirements.txt", "package/pyproject.toml", "tools/bootstrap.py"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    monkeypatch.setattr(bootstrap, "REPO", tmp_path)
    environment = bootstrap.Environment("lock", ["package"])
    first = bootstrap.stamp_of(environment, ["tests/requirements.txt"])
    assert bootstrap.stamp_of(environment, ["tests/requirements.txt"]) == first
    (tmp_path / "lock").write_text("httpx==1\n")
    assert bootstrap.stamp_of(environment, ["tests/requirements.txt"]) != first
