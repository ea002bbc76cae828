"""Have the pictures changed since the version in production was trained? Reported only: no answer fails the report."""

import logging
from pathlib import Path

import numpy as np
from wakee_common.embeddings import Embeddings, FeatureModel, unpack_embeddings
from wakee_common.errors import BadInputError, ConfigurationError, one_line
from wakee_common.storage import ObjectStore
from wakee_common.training_sample import FeatureFiles, TrainingSample
from wakee_common.uris import R2Uri

from wakee_drift.measure.picture_comparison import (
    EMBEDDING,
    STATISTICS,
    compare_embeddings,
    compare_properties,
    decide,
    properties,
    training_properties,
    vectors_of,
)
from wakee_drift.measure.picture_sample import measure_sample
from wakee_drift.records import PictureDrift, ProductionSample
from wakee_drift.tables import PICTURES_SCHEMA, row_count, spread_sample

logger = logging.getLogger(__name__)

LARGEST_MODEL = 512 << 20
"""A larger `features.onnx` would not fit into the stage's memory."""
NO_EMBEDDINGS = "its evaluation wrote no embeddings"


def compare_pictures(
    store: ObjectStore, pictures: R2Uri | None, production: ProductionSample, work: Path
) -> PictureDrift:
    """Compare the sample of the window's pictures with the training pictures. No error is raised.

    Args:
        store: The bucket.
        pictures: The sample of `fetch-annotations`.
        production: Sample of the training data of the version in production.
        work: Folder for files.
    """
    if pictures is None:
        return PictureDrift(status="skipped", reason="fetch-annotations passed no sample of pictures")
    if production.sample is None:
        return PictureDrift(status="skipped", reason=production.reason)
    against = f"the training pictures of {production.version}"
    try:
        return _compare(store, store.get_file(pictures, work / "pictures.parquet"), production.sample, against, work)
    except Exception as error:  # the report must not fail because of pictures
        logger.warning("Cannot compare pictures: %s", one_line(error))
        return PictureDrift(status="skipped", reason=one_line(f"{type(error).__name__}: {error}"), against=against)


def _compare(store: ObjectStore, path: Path, sample: TrainingSample, against: str, work: Path) -> PictureDrift:
    if not (size := row_count(path)):
        return PictureDrift(
            status="skipped", reason="the window has no pictures, or picture_sample is 0", against=against
        )
    model, before, no_embeddings = _features(store, sample.features, work)
    now = measure_sample(store, spread_sample(path, PICTURES_SCHEMA, size), model)
    columns, no_properties = compare_properties(properties(now.statistics, now.people), training_properties(sample))
    skipped = dict.fromkeys(STATISTICS, no_properties) if no_properties else {}
    if before and now.vectors:
        vectors = np.concatenate(now.vectors)
        found = Embeddings(vectors, np.array(now.people[: len(vectors)], np.int64))
        embedding, no_embeddings = compare_embeddings(vectors_of(found), vectors_of(before))
        columns |= embedding
    if no_embeddings:
        skipped[EMBEDDING] = no_embeddings
    result = PictureDrift(
        status="compared",
        against=against,
        pictures=len(now.statistics),
        unreadable=dict(sorted(now.unreadable.items())),
        columns=decide(columns),
        skipped_columns=skipped,
    )
    if not columns:
        reasons = "; ".join(dict.fromkeys(skipped.values()))
        return result.model_copy(update={"status": "skipped", "reason": reasons})
    return result


def _features(
    store: ObjectStore, files: FeatureFiles | None, work: Path
) -> tuple[FeatureModel | None, Embeddings | None, str]:
    """Return the model for embeddings and those of held-out pictures, or the reason why there are none."""
    if files is None:
        return None, None, NO_EMBEDDINGS
    try:
        model_uri, embeddings_uri = R2Uri.parse(files.model_uri), R2Uri.parse(files.embeddings_uri)
        before = unpack_embeddings(store.get_bytes(embeddings_uri), embeddings_uri)
        if (size := store.head(model_uri)["ContentLength"]) > LARGEST_MODEL:
            return None, None, f"{model_uri} has {size:,} bytes, more than {LARGEST_MODEL:,}"
        return FeatureModel(store.get_file(model_uri, work / "features.onnx")), before, ""
    except (BadInputError, ConfigurationError) as error:
        return None, None, one_line(error)
