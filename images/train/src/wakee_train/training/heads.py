"""The last layers of a backbone, which output the four levels."""

from collections.abc import Iterator
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import nn
from wakee_common.errors import BadInputError
from wakee_contract.emotions import EMOTIONS

from wakee_train.training.backbone import EmotionRegressor

Head = nn.Linear | nn.Conv2d


def heads(model: EmotionRegressor) -> list[Head]:
    """Return the last layers: usually one, or several whose outputs are averaged, as in distilled models.

    Raises:
        BadInputError: the backbone does not end with a linear layer (or 1 x 1 convolution) with a bias.
    """
    classifier = getattr(model.backbone, "get_classifier", lambda: None)()
    found = [layer for part in _parts(classifier) for layer in part.modules() if _gives_levels(layer)]
    if not found:
        raise BadInputError("this backbone has no linear head. Choose another backbone")
    return found


def centre_heads(model: EmotionRegressor, labels: np.ndarray) -> None:
    """Initialize the biases of new heads with the mean of the labels, instead of zero."""
    with torch.no_grad():
        for head in heads(model):
            if head.bias is not None:
                head.bias.copy_(torch.from_numpy(labels.mean(axis=0)))


def _parts(classifier: Any) -> Iterator[nn.Module]:
    if isinstance(classifier, nn.Module):
        yield classifier
    elif isinstance(classifier, (tuple, list)):
        for part in classifier:
            yield from _parts(part)


def _gives_levels(layer: nn.Module) -> TypeGuard[Head]:
    return isinstance(layer, Head) and layer.bias is not None and len(layer.weight) == len(EMOTIONS)
