"""The int8 variant of an exported model, kept only if it is measurably faster and no part gets worse by the gate.

Static quantisation (QDQ, uint8 activations, int8 weights per channel) of all layers except those on global means. Of
onnxruntime's methods, this was the fastest for EfficientNet-B4 on a CPU with VNNI (35 ms per picture against 53 ms in
fp32, one thread). Dynamic quantisation took 121 ms, int8 activations 131 ms.
"""

import hashlib
import logging
import math
import time
from typing import NamedTuple

import numpy as np
import onnx
from numpy.typing import NDArray
from wakee_common.errors import one_line
from wakee_common.files import workspace
from wakee_common.pictures import as_the_api_does
from wakee_common.storage import MissingObjectError, ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.model import INPUT, ONNX_INT8

from wakee_train.data.shards import SplitPixels, batches
from wakee_train.evaluation.gate import worse_parts
from wakee_train.evaluation.metrics import served
from wakee_train.evaluation.onnx_model import OnnxModel
from wakee_train.evaluation.paired import Contest, Rows
from wakee_train.records import Export, GateLimits, Int8, read_record

logger = logging.getLogger(__name__)

CALIBRATION_PICTURES = 64
CALIBRATION_BATCH = 8
TIMED_CALLS, UNTIMED_CALLS = 30, 3
MEANS = ("ReduceMean", "GlobalAveragePool")
LAYERS = ("Conv", "Gemm", "MatMul")


class Examination(NamedTuple):
    """The data and limits for evaluating the variant.

    Attributes:
        test: Test pictures.
        people: The person of each picture, shape (N,).
        slices: Parts of the pictures by name, as in the gate; shape (N,) each.
        limits: Those of the gate. The MAE of a part may rise by `max_regression`.
    """

    test: SplitPixels
    people: NDArray[np.int64]
    slices: dict[str, Rows]
    limits: GateLimits


class Calibration:
    """Feeds pictures to onnxruntime's calibration: batch by batch, then None."""

    def __init__(self, pictures: SplitPixels) -> None:
        chosen = pictures.spread(CALIBRATION_PICTURES).pixels
        self._parts = (as_the_api_does(chosen[part]) for part in batches(len(chosen), CALIBRATION_BATCH))

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        """Return the next batch, or None at the end."""
        part = next(self._parts, None)
        return None if part is None else {INPUT: part}


def int8_variant(
    store: ObjectStore, folder: R2Uri, plain: bytes, calibration: SplitPixels, examination: Examination
) -> Int8:
    """Quantise the model, measure the variant, and store it if it is kept.

    Args:
        store: The bucket.
        folder: The folder for the variant.
        plain: The model as exported.
        calibration: Pictures that show which values occur. Not the test pictures.
        examination: The data and limits for evaluating the variant.
    """
    try:
        content = quantised(plain, calibration)
    except Exception as error:  # the quantiser raises various exceptions on unsupported graphs
        reason = f"cannot be quantised: {type(error).__name__}: {one_line(error, 200)}"
        return Int8(kept=False, reason=reason, limit=examination.limits.max_regression)
    judged = judge(OnnxModel(plain), OnnxModel(content), examination)
    if not judged.kept:
        return judged
    uri = folder / ONNX_INT8
    store.put_bytes(uri, content)
    digest = hashlib.sha256(content).hexdigest()
    return judged.model_copy(update={"uri": str(uri), "sha256": digest, "bytes": len(content)})


def judged_before(store: ObjectStore, uri: R2Uri, onnx_sha256: str, limit: float) -> Int8 | None:
    """The result of an earlier attempt for the same model. Latencies vary, but a published decision must not change."""
    try:
        before = read_record(store, uri, Export)
    except MissingObjectError:
        return None
    same = before.onnx_sha256 == onnx_sha256 and before.int8 is not None and before.int8.limit == limit
    return before.int8 if same else None


def quantised(content: bytes, calibration: SplitPixels) -> bytes:
    """Quantise an ONNX model to int8."""
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static  # type: ignore[import-untyped]

    graph = onnx.load_from_string(content)
    with workspace() as scratch:
        made = scratch / ONNX_INT8
        quantize_static(
            graph,
            made,
            Calibration(calibration),
            quant_format=QuantFormat.QDQ,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            per_channel=True,
            nodes_to_exclude=layers_on_means(graph.graph),
        )
        return made.read_bytes()


def layers_on_means(graph: onnx.GraphProto) -> list[str]:
    """Names of the layers on global means (squeeze and excitation, head). They are fast, but sensitive to rounding."""
    weights, means, names = {tensor.name for tensor in graph.initializer}, set[str](), list[str]()
    for node in graph.node:
        inputs = [name for name in node.input if name and name not in weights]
        if node.op_type in MEANS or (inputs and means.issuperset(inputs)):
            means.update(node.output)
            names += [node.name] if node.op_type in LAYERS else []
    return names


def judge(plain: OnnxModel, int8: OnnxModel, examination: Examination) -> Int8:
    """Decide whether to keep the variant: it must be faster, and no part of the test pictures worse by the gate."""
    test, people, slices, limits = examination
    before, after = (float(np.median(times)) for times in zip(*_milliseconds(plain, int8, test), strict=True))
    new, old = int8.predict(test), plain.predict(test)
    rise = float((_mae(new, test) - _mae(old, test)).max())
    worse = ["some predictions are not numbers"]
    if math.isfinite(rise):
        worse = worse_parts(Contest(new, old, test.labels, people), slices, limits)
    said = f"{after:.2f} ms per picture instead of {before:.2f} ms, MAE of the worst emotion {rise:+.4f}"
    kept = after < before and not worse
    why = "" if kept else f"not accurate enough: {'; '.join(worse)}: " if worse else "not faster: "
    logger.info("int8: %s, %s%s", "kept" if kept else "discarded", why, said)
    return Int8(
        kept=kept,
        reason=f"{why}{said}",
        limit=limits.max_regression,
        latency_ms_median=round(after, 3),
        plain_latency_ms_median=round(before, 3),
        mae_increase=round(rise, 6) if math.isfinite(rise) else None,
    )


def _mae(predictions: NDArray[np.float32], test: SplitPixels) -> NDArray[np.floating]:
    mae: NDArray[np.floating] = np.abs(served(predictions) - test.labels).mean(axis=0)
    return mae


def _milliseconds(plain: OnnxModel, int8: OnnxModel, test: SplitPixels) -> list[tuple[float, float]]:
    """Latencies of calls with one picture each. The models alternate, so that load on the machine affects both."""
    picture = as_the_api_does(test.pixels[:1])
    times = [(timed(plain, picture), timed(int8, picture)) for _ in range(UNTIMED_CALLS + TIMED_CALLS)]
    return times[UNTIMED_CALLS:]


def timed(model: OnnxModel, picture: NDArray[np.float32]) -> float:
    """Measure one call, in milliseconds."""
    started = time.perf_counter()
    model(picture)
    return (time.perf_counter() - started) * 1000
