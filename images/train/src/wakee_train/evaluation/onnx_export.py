"""Export of the model to one ONNX file. `export-onnx` checks its contract, compares it with PyTorch, and times it.

An int8 variant (`quantization`) is written on request, for clients that choose it. The Wakee API uses the float file.
"""

import hashlib
import io
import logging
import warnings

import numpy as np
import onnx
import torch
from onnxscript import rewriter
from onnxscript.rewriter import pattern
from wakee_common.errors import BadInputError
from wakee_common.files import workspace
from wakee_common.pictures import as_the_api_does
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.emotions import EMOTIONS, HIGHEST_LEVEL, LOWEST_LEVEL
from wakee_contract.model import INPUT, OUTPUT
from wakee_contract.pictures import CROPPED, DEVIATION, MEAN, RESIZED

from wakee_train.data.records import Manifest, Splits
from wakee_train.data.shards import SplitPixels, load_splits
from wakee_train.data.splits import TEST, VALIDATION
from wakee_train.evaluation.onnx_model import OnnxModel
from wakee_train.evaluation.quantization import (
    TIMED_CALLS,
    UNTIMED_CALLS,
    Examination,
    int8_variant,
    judged_before,
    timed,
)
from wakee_train.evaluation.slices import facts_of, people, slices
from wakee_train.records import Evaluation, Export, GateLimits, Training, read_record, write_record
from wakee_train.results import ExportResult
from wakee_train.training.backbone import EmotionRegressor
from wakee_train.training.prediction import predict
from wakee_train.training.weights import trained_model
from wakee_train.versions import EXPORT

logger = logging.getLogger(__name__)

EXAMPLES = 2
POOLED = pattern.RewriteRule(
    lambda op, x: op.ReduceMean(x, [2, 3], keepdims=1), lambda op, x, **_: op.GlobalAveragePool(x)
)
"""The same mean, by an operator that does not make onnxruntime convert from its blocked memory layout."""


def export_onnx(
    store: ObjectStore,
    folder: R2Uri,
    evaluation_uri: R2Uri,
    parity_limit: float,
    parity_samples: int,
    int8_limit: float | None = None,
    *,
    publish: bool = True,
) -> ExportResult:
    """Check the file that was evaluated. With an `int8_limit` (rise of a part's MAE), also try an int8 variant.

    Raises:
        BadInputError: its outputs differ from PyTorch's by more than `parity_limit`, or the file has changed since.
    """
    evaluation = read_record(store, evaluation_uri, Evaluation)
    training = read_record(store, R2Uri.parse(evaluation.training_uri), Training)
    model = trained_model(store, training)
    content = store.get_bytes(R2Uri.parse(evaluation.onnx_uri))
    digest, int8 = hashlib.sha256(content).hexdigest(), None
    if digest != evaluation.onnx_sha256:
        raise BadInputError(
            f"{evaluation.onnx_uri} is not the file that was evaluated. Clear evaluate and everything downstream"
        )
    with workspace() as scratch:
        wanted = (TEST,) if int8_limit is None else (TEST, VALIDATION)
        record, splits = load_splits(store, R2Uri.parse(training.splits_uri), wanted, scratch)
        test = splits[TEST].spread(parity_samples)
        session = OnnxModel(content)
        difference = float(np.abs(session.predict(test) - predict(model, test, torch.device("cpu"))).max())
        logger.info("parity over %d pictures: largest difference %.2e (limit %g)", len(test), difference, parity_limit)
        if not difference <= parity_limit:
            raise BadInputError(f"ONNX and PyTorch differ by {difference:.2e}, more than {parity_limit:g}")
        latencies = _latencies(session, test)
        if int8_limit is not None:
            int8 = judged_before(store, folder / EXPORT, digest, int8_limit)
            limits = evaluation.decision.limits.model_copy(update={"max_regression": int8_limit})
            examination = _examination(store, record, splits[TEST], limits)
            int8 = int8 or int8_variant(store, folder, content, splits[VALIDATION], examination)
    export = Export(
        training_uri=evaluation.training_uri,
        weights_sha256=training.weights_sha256,
        onnx_uri=evaluation.onnx_uri,
        onnx_sha256=digest,
        bytes=len(content),
        opset=next(o.version for o in onnx.load_from_string(content).opset_import if o.domain == ""),
        parity_samples=len(test),
        parity_max_difference=difference,
        parity_limit=parity_limit,
        latency_ms_median=round(float(np.median(latencies)), 3),
        latency_ms_p95=round(float(np.percentile(latencies, 95)), 3),
        int8=int8,
    )
    result = _result(export, write_record(store, folder / EXPORT, export))
    return result if publish else result.model_copy(update={"status": "not_published"})


def to_onnx(model: EmotionRegressor, notes: dict[str, str] | None = None) -> bytes:
    """Export a model as one ONNX file with a dynamic batch size. The bytes depend only on weights and notes.

    Args:
        model: The model to export.
        notes: The file's own metadata (`metadata_props`), for users who have only the file.

    Raises:
        onnx.checker.ValidationError: the exporter wrote an invalid graph.
    """
    example = torch.zeros(EXAMPLES, 3, CROPPED, CROPPED)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's warnings about its own dependencies
        program = torch.onnx.export(
            model.eval(),
            (example,),
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamo=True,
            dynamic_shapes=({0: "batch"},),
            external_data=False,
            verbose=False,
        )
    if program is None:
        raise AssertionError("the dynamo exporter returned no program")
    graph = _bare(rewriter.rewrite(program.model_proto, pattern_rewrite_rules=[POOLED]))
    onnx.helper.set_model_props(graph, notes or {})
    onnx.checker.check_model(graph, full_check=True)
    file = io.BytesIO()
    onnx.save_model(graph, file)
    return file.getvalue()


def notes_of(training: Training) -> dict[str, str]:
    """The metadata of an exported file: outputs, preprocessing, and the digest of its weights."""
    return {
        "labels": ",".join(EMOTIONS),
        "scale": f"{LOWEST_LEVEL:g} to {HIGHEST_LEVEL:g}",
        "preprocessing": f"RGB, resize {RESIZED} x {RESIZED} bilinear, centre crop {CROPPED}, divide by 255, "
        f"subtract {MEAN}, divide by {DEVIATION}",
        "backbone": training.settings.backbone,
        "weights_sha256": training.weights_sha256,
        "dataset_id": training.dataset_id,
    }


def _bare(graph: onnx.ModelProto) -> onnx.ModelProto:
    """Remove the exporter's notes on the source line of each node."""
    graph.doc_string = ""
    for node in graph.graph.node:
        node.doc_string = ""
        del node.metadata_props[:]
    for value in graph.graph.value_info:
        del value.metadata_props[:]
    return graph


def _examination(store: ObjectStore, splits: Splits, test: SplitPixels, limits: GateLimits) -> Examination:
    facts = facts_of(read_record(store, R2Uri.parse(splits.manifest_uri), Manifest), test.names)
    return Examination(test, people(facts, test.names, splits), slices(facts, None), limits)


def _latencies(session: OnnxModel, test: SplitPixels) -> list[float]:
    """Measure the latency of calls with one picture each, in milliseconds."""
    picture = as_the_api_does(test.pixels[:1])
    return [timed(session, picture) for _ in range(UNTIMED_CALLS + TIMED_CALLS)][UNTIMED_CALLS:]


def _result(export: Export, uri: R2Uri) -> ExportResult:
    int8 = export.int8
    return ExportResult(
        export_uri=str(uri),
        onnx_uri=export.onnx_uri,
        onnx_sha256=export.onnx_sha256,
        bytes=export.bytes,
        parity_max_difference=export.parity_max_difference,
        latency_ms_median=export.latency_ms_median,
        int8=f"{'kept' if int8.kept else 'discarded'}: {int8.reason}" if int8 else None,
        int8_uri=int8.uri if int8 else None,
    )
