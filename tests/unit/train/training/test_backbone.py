"""Models around timm's backbones: what they take, and which are known."""

import pytest
import torch
from wakee_common.errors import BadInputError
from wakee_train.training.backbone import EmotionRegressor, make_model


@pytest.mark.parametrize("size", [224, 112, 56, 160])
def test_the_model_takes_224_pixels_whatever_its_backbone_works_at(size):
    model: EmotionRegressor = make_model("test_efficientnet", size).eval()

    with torch.inference_mode():
        assert model(torch.zeros(2, 3, 224, 224)).shape == (2, 4)


def test_an_unknown_backbone_is_refused():
    with pytest.raises(BadInputError, match="timm does not have a backbone 'resnet_9000'"):
        make_model("resnet_9000", 224)
