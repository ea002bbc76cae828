"""What the exported graph is made of, and that it still says what PyTorch says."""

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from wakee_train.evaluation.onnx_export import to_onnx
from wakee_train.evaluation.onnx_model import OnnxModel
from wakee_train.training.backbone import EmotionRegressor, create_fitted, make_model


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return make_model("test_efficientnet", 224).eval()


def test_means_over_a_picture_are_pools(model):
    made = [node.op_type for node in onnx.load_from_string(to_onnx(model)).graph.node]

    assert made.count("GlobalAveragePool") == 2  # squeeze and excitation, in each of two blocks


def test_the_same_weights_give_the_same_bytes(model):
    assert to_onnx(model) == to_onnx(model)


def test_the_file_says_what_it_is(model):
    notes = {"labels": "boredom,confusion", "weights_sha256": "0123abcd"}

    session = onnxruntime.InferenceSession(to_onnx(model, notes), providers=["CPUExecutionProvider"])

    assert session.get_modelmeta().custom_metadata_map == notes


@pytest.mark.parametrize("pictures", [1, 3])
def test_any_number_of_pictures_is_answered_as_by_pytorch(model, pictures):
    given = torch.randn(pictures, 3, 224, 224)

    with torch.inference_mode():
        expected = model(given).numpy()

    np.testing.assert_allclose(OnnxModel(to_onnx(model))(given.numpy()), expected, atol=1e-5)


@pytest.mark.parametrize("size", [224, 112, 256, 64])
@pytest.mark.parametrize(
    ("backbone", "options"),
    [
        pytest.param("test_vit", {}, id="vit"),
        pytest.param("deit_tiny_distilled_patch16_224", {"depth": 1}, id="deit"),  # the layers are all alike
    ],
)
def test_a_backbone_that_was_fitted_to_its_size_is_exported(backbone, options, size):
    torch.manual_seed(0)
    fitted = EmotionRegressor(create_fitted(backbone, size, **options), size).eval()
    given = torch.randn(3, 3, 224, 224)

    with torch.inference_mode():
        expected = fitted(given).numpy()

    np.testing.assert_allclose(OnnxModel(to_onnx(fitted))(given.numpy()), expected, atol=1e-4)
