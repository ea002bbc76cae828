"""Weights as files: safetensors with metadata about the model they belong to."""

import hashlib
import json
from pathlib import Path

import torch
from torch import Tensor, nn
from wakee_common.errors import BadInputError, one_line
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri

from wakee_train.records import Training
from wakee_train.training.backbone import EmotionRegressor, make_model

State = dict[str, Tensor]


def copy_state(model: nn.Module) -> State:
    """Copy the state of a model to the CPU."""
    return {name: tensor.cpu().clone() for name, tensor in model.state_dict().items()}


def save_weights(state: State, settings: dict[str, str | int]) -> bytes:
    """Serialize backbone weights under timm's names, with the model's settings as metadata."""
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    return save(tensors, metadata={"wakee": json.dumps(settings, sort_keys=True)})


def load_weights(content: bytes) -> State:
    """Load the tensors of a safetensors file.

    Raises:
        BadInputError: the content is not a safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    try:
        state: State = load(content)
    except SafetensorError as error:
        raise BadInputError(f"not a safetensors file: {error}") from None
    return state


def load_pickled(path: Path) -> State:
    """Load the tensors of a `pytorch_model.bin`. No code in it is executed.

    Raises:
        BadInputError: the file is invalid, or contains more than tensors.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise BadInputError(f"{path.name} does not contain plain weights: {one_line(error, 200)}") from None
    state = state.get("state_dict", state) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise BadInputError(f"{path.name} does not contain plain weights")
    return state


def trained_model(store: ObjectStore, training: Training) -> EmotionRegressor:
    """Load the trained model, in evaluation mode.

    Raises:
        BadInputError: the weights differ from those in the training's record.
    """
    content = store.get_bytes(R2Uri.parse(training.weights_uri))
    if hashlib.sha256(content).hexdigest() != training.weights_sha256:
        raise BadInputError(f"{training.weights_uri} has changed since the training ended. Run fine-tune again")
    model = make_model(training.settings.backbone, training.settings.image_size)
    model.backbone.load_state_dict(load_weights(content))
    return model.eval()
