"""The int8 variant: made by the real quantiser, timed and measured by the real runtime, kept or dropped."""

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from wakee_train.data.shards import SplitPixels
from wakee_train.evaluation import quantization
from wakee_train.evaluation.onnx_export import to_onnx
from wakee_train.evaluation.onnx_model import OnnxModel
from wakee_train.training.backbone import EmotionRegressor, make_model

from ..training.two_processes import pixels
from .int8_examinations import examination

CALIBRATION, TEST = pixels(8, 1), pixels(6, 2)


class Wide(nn.Sequential):
    """Convolutions and nothing else: what int8 arithmetic is quicker at on any machine."""

    def __init__(self) -> None:
        layers = [nn.Conv2d(3, 256, 8, 8), *(nn.Conv2d(256, 256, 3, padding=1) for _ in range(4))]
        super().__init__(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(256, 4))
        nn.init.constant_(self[-1].bias, 1.5)  # on the scale, where nothing is clipped


@pytest.fixture(scope="module")
def wide() -> tuple[bytes, bytes]:
    torch.manual_seed(0)
    plain = to_onnx(EmotionRegressor(Wide(), 224))
    return plain, quantization.quantised(plain, CALIBRATION)


def labelled(model: bytes) -> SplitPixels:
    """Test pictures on which this model is never wrong."""
    return SplitPixels(TEST.names, TEST.pixels, OnnxModel(model).predict(TEST))


def test_a_faster_and_accurate_variant_is_kept(wide, environment):
    plain, _ = wide
    folder = environment.store.uri("export")
    int8 = quantization.int8_variant(environment.store, folder, plain, CALIBRATION, examination(labelled(plain), 0.1))

    assert int8.kept, int8.reason
    assert int8.latency_ms_median < int8.plain_latency_ms_median
    assert 0 < int8.mae_increase <= 0.1
    assert len(environment.read(int8.uri)) == int8.bytes < len(plain) / 2


def test_an_inaccurate_variant_is_dropped_with_the_reason(wide, environment):
    plain, _ = wide
    int8 = quantization.int8_variant(
        environment.store, environment.store.uri("export"), plain, CALIBRATION, examination(labelled(plain), 0.0)
    )

    assert (int8.kept, int8.uri) == (False, None)
    assert int8.reason.startswith("not accurate enough: ")
    assert not list(environment.store.list_keys("export/"))


def test_a_slower_variant_is_dropped_with_the_reason(wide):
    plain, int8 = wide

    judged = quantization.judge(OnnxModel(int8), OnnxModel(plain), examination(labelled(int8), 3.0))

    assert judged.kept is False
    assert judged.reason.startswith("not faster: ")


def test_answers_that_are_no_numbers_are_too_inaccurate(wide):
    plain, int8 = wide
    test = SplitPixels(TEST.names, TEST.pixels, np.full((6, 4), np.nan, np.float32))

    judged = quantization.judge(OnnxModel(plain), OnnxModel(int8), examination(test, 3.0))

    assert (judged.kept, judged.mae_increase) == (False, None)


def test_a_graph_that_cannot_be_quantised_is_said_so(environment):
    int8 = quantization.int8_variant(
        environment.store, environment.store.uri("x"), b"no graph", CALIBRATION, examination(TEST, 0.01)
    )

    assert int8.kept is False
    assert int8.reason.startswith("cannot be quantised: DecodeError")


def test_a_part_that_gets_worse_drops_the_variant_though_the_emotions_do_not(wide):
    plain, _ = wide
    true = labelled(plain)
    corrected = np.array([True] * 3 + [False] * 3)
    labels = np.where(corrected[:, None], true.labels, np.clip(true.labels + 1, 0, 3))
    test = SplitPixels(TEST.names, TEST.pixels, labels.astype(np.float32))

    class Shifted:
        """Worse by 0.3 where somebody corrected, better by as much elsewhere."""

        def __call__(self, pictures):
            return OnnxModel(plain)(pictures)

        def predict(self, pictures):
            return OnnxModel(plain).predict(pictures) + np.float32(0.3)

    judged = quantization.judge(OnnxModel(plain), Shifted(), examination(test, 0.1, {"corrected pictures": corrected}))

    assert judged.kept is False
    assert judged.reason.startswith("not accurate enough: corrected pictures 0.0000 -> 0.3000")


def test_squeeze_excitation_and_head_stay_as_they_are():
    graph = onnx.load_from_string(to_onnx(make_model("test_efficientnet", 112))).graph
    left = [node for node in graph.node if node.name in quantization.layers_on_means(graph)]

    assert {node.op_type for node in left} == {"Conv", "Gemm"}
    assert len(left) == 5  # two in each of two blocks, and the head
