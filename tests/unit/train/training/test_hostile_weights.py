"""Weights of the Hub that are none: nothing of them is executed, and training starts from others."""

import logging
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from huggingface_hub import HfApi
from wakee_common.errors import BadInputError, ConfigurationError
from wakee_train.training import starting_point
from wakee_train.training.backbone import make_model
from wakee_train.training.weights import load_pickled

from support.sandbox import HUB_TOKEN

from ..environment import Environment
from .small_trainings import settings


class Bomb:
    """Makes a file when it is unpickled."""

    def __init__(self, crater: Path) -> None:
        self.crater = crater

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.crater,)


def zipped(content: Any, path: Path) -> None:
    torch.save(content, path)


def bare(content: Any, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


def as_before_torch_1_6(content: Any, path: Path) -> None:
    torch.save(content, path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("write", [zipped, bare, as_before_torch_1_6], ids=lambda write: write.__name__)
@pytest.mark.parametrize(
    "wrapped", [lambda bomb: bomb, lambda bomb: {"state_dict": {"a": bomb}}], ids=["bare", "inside"]
)
def test_nothing_in_a_pickled_file_is_executed(tmp_path, write, wrapped):
    crater, path = tmp_path / "crater", tmp_path / "pytorch_model.bin"
    write(wrapped(Bomb(crater)), path)

    with pytest.raises(BadInputError, match=r"pytorch_model\.bin does not contain plain weights"):
        load_pickled(path)

    assert not crater.exists()
    pickle.loads(pickle.dumps(Bomb(crater)))  # noqa: S301 - the bomb is a bomb
    assert crater.exists()


def whole_module(path: Path) -> None:
    torch.save(make_model("test_efficientnet", 32), path)


def noise(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 20)


UNREADABLE = [
    pytest.param("pytorch_model.bin", whole_module, id="whole-module"),
    pytest.param("pytorch_model.bin", noise, id="noise"),
    pytest.param("model.safetensors", noise, id="no-safetensors"),
]


def upload(environment: Environment, name: str, write: Callable[[Path], None], folder: Path) -> None:
    repository = environment.variables["HF_MODEL_REPO"]
    api = HfApi(endpoint=environment.variables["HF_ENDPOINT"], token=HUB_TOKEN)
    write(folder / name)
    api.create_repo(repository)
    api.upload_file(path_or_fileobj=folder / name, path_in_repo=name, repo_id=repository)


@pytest.mark.parametrize(("name", "write"), UNREADABLE)
def test_auto_falls_back_to_pretrained_weights(environment, tmp_path, monkeypatch, caplog, name, write):
    upload(environment, name, write, tmp_path)
    for variable, value in environment.variables.items():
        monkeypatch.setenv(variable, value)
    # Where the pretrained weights are from is another matter: here they are random.
    monkeypatch.setattr(starting_point, "make_model", lambda backbone, size, **_: make_model(backbone, size))

    with caplog.at_level(logging.INFO):
        _, origin = starting_point.starting_model(settings(start="auto"), tmp_path)

    assert origin == "timm's pretrained test_efficientnet"
    assert "cannot read " in caplog.text
    assert f"/{name}: " in caplog.text


@pytest.mark.parametrize(("name", "write"), UNREADABLE)
def test_hub_names_the_remedies(environment, tmp_path, monkeypatch, name, write):
    upload(environment, name, write, tmp_path)
    for variable, value in environment.variables.items():
        monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigurationError, match=r"cannot read .* Choose start=imagenet"):
        starting_point.starting_model(settings(start="hub"), tmp_path)
