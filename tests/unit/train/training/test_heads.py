"""The layers that give the levels, whatever a backbone calls them."""

import numpy as np
import pytest
import torch
from wakee_common.errors import BadInputError
from wakee_train.training.backbone import make_model
from wakee_train.training.heads import centre_heads, heads
from wakee_train.training.trainer import Trainer

from .small_trainings import CPU, settings
from .two_processes import pixels


@pytest.mark.parametrize(
    ("backbone", "kinds"),
    [
        pytest.param("test_efficientnet", ["Linear"], id="one"),
        pytest.param("deit_tiny_distilled_patch16_224", ["Linear", "Linear"], id="distilled"),
        pytest.param("levit_128s", ["Linear", "Linear"], id="distilled-with-batch-norm"),
        pytest.param("crossvit_tiny_240", ["Linear", "Linear"], id="list"),
        pytest.param("dla46x_c", ["Conv2d"], id="convolution"),
    ],
)
def test_heads_are_found(backbone, kinds):
    with torch.device("meta"):
        found = heads(make_model(backbone, 240))

    assert [type(head).__name__ for head in found] == kinds


def test_all_heads_begin_at_the_mean_of_the_labels():
    model = make_model("deit_tiny_distilled_patch16_224", 32)
    centre_heads(model, np.array([[0, 1, 2, 3], [2, 1, 0, 3]], np.float32))

    assert [head.bias.tolist() for head in heads(model)] == [[1, 1, 1, 3]] * 2


def test_a_backbone_without_a_head_is_refused():
    model = make_model("test_efficientnet", 32)
    model.backbone = torch.nn.Identity()

    with pytest.raises(BadInputError, match="no linear head"):
        heads(model)


def test_both_heads_of_a_distilled_model_learn_while_the_rest_is_frozen():
    given = settings(backbone="deit_tiny_distilled_patch16_224", epochs=1, freeze_epochs=1, batch_size=4)
    model = make_model(given.backbone, given.image_size)
    learner = Trainer(model, given, pixels(4, 1), pixels(2, 2), CPU)
    learner._set_mode()

    learning = {name for name, parameter in learner.model.backbone.named_parameters() if parameter.requires_grad}
    assert learning == {"head.weight", "head.bias", "head_dist.weight", "head_dist.bias"}
