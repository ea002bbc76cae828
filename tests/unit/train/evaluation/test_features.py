"""The model up to its last layer, and the embeddings of held-out pictures."""

import numpy as np
import pytest
import torch
from wakee_common.embeddings import Embeddings, FeatureModel, pack_embeddings, unpack_embeddings
from wakee_common.errors import BadInputError
from wakee_common.pictures import as_the_api_does
from wakee_train.evaluation.features import features_of
from wakee_train.evaluation.onnx_export import to_onnx
from wakee_train.training.backbone import make_model


def pictures(count):
    return np.random.default_rng(0).integers(0, 256, (count, 256, 256, 3), np.uint8)


@pytest.mark.parametrize("backbone", ["test_efficientnet", "test_vit", "test_convnext"])
def test_embeddings_are_the_input_of_the_last_layer(backbone):
    torch.manual_seed(0)
    model = make_model(backbone, 224).eval()
    features = features_of(to_onnx(model))

    found = FeatureModel(features)(pictures(3))

    with torch.inference_mode():
        before_head = model.backbone.forward_features(torch.from_numpy(as_the_api_does(pictures(3))))
        expected = model.backbone.forward_head(before_head, pre_logits=True).numpy()
    np.testing.assert_allclose(found, expected.reshape(3, -1), atol=1e-4)
    assert features == features_of(to_onnx(model))


def test_a_whole_model_computes_no_features():
    torch.manual_seed(0)

    with pytest.raises(BadInputError, match="does not output features"):
        FeatureModel(to_onnx(make_model("test_efficientnet", 224).eval()))


def test_embeddings_are_read_as_written():
    embeddings = Embeddings(np.eye(3, 5, dtype=np.float32), np.array([7, 7, -9]))

    read = unpack_embeddings(pack_embeddings(embeddings), "r2://b/k")

    assert np.array_equal(read.vectors, embeddings.vectors)
    assert read.people.tolist() == [7, 7, -9]
    assert pack_embeddings(embeddings) == pack_embeddings(embeddings)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"damaged", id="damaged"),
        pytest.param(pack_embeddings(Embeddings(np.eye(3), np.arange(3)))[:400], id="cut-off"),
        pytest.param(pack_embeddings(Embeddings(np.eye(3), np.arange(2))), id="other-lengths"),
        pytest.param(pack_embeddings(Embeddings(np.full((3, 3), np.nan), np.arange(3))), id="not-numbers"),
        pytest.param(pack_embeddings(Embeddings(np.eye(3, dtype=object), np.arange(3))), id="pickled"),
    ],
)
def test_damaged_embeddings_are_refused(content):
    with pytest.raises(BadInputError, match="Cannot read embeddings from r2://b/k"):
        unpack_embeddings(content, "r2://b/k")
