"""The embeddings of a version: its model up to the last layer, and the embeddings of held-out pictures.

Pictures that a version was trained on are left out: their embeddings differ from those of new pictures.
"""

import io
import logging
from collections.abc import Sequence

import numpy as np
import onnx
from wakee_common.embeddings import FEATURES, Embeddings, FeatureModel, pack_embeddings
from wakee_common.errors import one_line
from wakee_common.storage import ObjectStore
from wakee_common.training_sample import FeatureFiles
from wakee_common.uris import R2Uri
from wakee_contract.model import INPUT

from wakee_train.data.records import Manifest, Splits
from wakee_train.data.shards import SplitPixels, batches
from wakee_train.evaluation.slices import facts_of, people

logger = logging.getLogger(__name__)

MODEL, EMBEDDINGS = "features.onnx", "embeddings.npz"
MOST_PICTURES = 200
"""Largest number of pictures per split."""
BATCH = 16
LAYERS = ("Gemm", "MatMul", "Conv")


def write_features(
    store: ObjectStore, folder: R2Uri, model: bytes, manifest: Manifest, splits: Splits, held_out: Sequence[SplitPixels]
) -> FeatureFiles | None:
    """Write `features.onnx` and the embeddings of a sample of the held-out splits. Return None if that is impossible.

    A backbone without features does not stop the evaluation, because only the drift report uses them.
    """
    try:
        features = features_of(model)
        embeddings = embed(FeatureModel(features), manifest, splits, held_out)
    except Exception as error:  # the shapes of graphs are as many as the backbones
        logger.warning("Drift detection cannot compare embeddings of this version: %s", one_line(error))
        return None
    store.put_bytes(folder / MODEL, features)
    store.put_bytes(folder / EMBEDDINGS, pack_embeddings(embeddings))
    return FeatureFiles(model_uri=str(folder / MODEL), embeddings_uri=str(folder / EMBEDDINGS))


def features_of(model: bytes) -> bytes:
    """Cut an exported model before its last layer. The bytes are deterministic.

    Raises:
        ValueError: the model has no layer.
    """
    graph = onnx.load_from_string(model)
    layers = [node for node in graph.graph.node if node.op_type in LAYERS]
    if not layers:
        raise ValueError("the model has no layers")
    cut = onnx.utils.Extractor(graph).extract_model([INPUT], [layers[-1].input[0]])
    cut.graph.node.append(onnx.helper.make_node("Identity", [layers[-1].input[0]], [FEATURES]))
    cut.graph.output[0].name = FEATURES
    onnx.checker.check_model(cut)
    file = io.BytesIO()
    onnx.save_model(cut, file)
    return file.getvalue()


def embed(model: FeatureModel, manifest: Manifest, splits: Splits, held_out: Sequence[SplitPixels]) -> Embeddings:
    """Embed at most `MOST_PICTURES` pictures of each split, at even distances."""
    samples = [split.spread(MOST_PICTURES) for split in held_out]
    names = [name for sample in samples for name in sample.names]
    vectors = [model(sample.pixels[part]) for sample in samples for part in batches(len(sample), BATCH)]
    return Embeddings(np.concatenate(vectors), people(facts_of(manifest, names), names, splits))
