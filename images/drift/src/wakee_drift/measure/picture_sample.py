"""Read and measure a sample of the window's pictures. Unusable pictures are counted, and fail nothing."""

import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from wakee_common import pictures
from wakee_common.concurrency import map_ahead
from wakee_common.embeddings import FeatureModel
from wakee_common.errors import BadInputError
from wakee_common.picture_statistics import measure_picture
from wakee_common.pictures import LARGEST_FILE, UnusablePictureError
from wakee_common.storage import MissingObjectError, ObjectStore
from wakee_common.training_sample import PictureStatistics

from wakee_drift.tables import integers

BATCH = 8
EMBEDDING_SECONDS = 300.0
"""Pictures after that are not embedded. The sample's order is random, so the earlier ones are a sample as well."""


@dataclass(frozen=True)
class MeasuredPicture:
    """A picture of the window.

    Attributes:
        person: Number of its person.
        statistics: What the camera did.
        pixels: The prepared picture, shape (256, 256, 3).
    """

    person: int
    statistics: PictureStatistics
    pixels: pictures.Pixels


@dataclass
class PictureSample:
    """The measured pictures of the window.

    Attributes:
        statistics: What the camera did, per picture.
        people: The person of each picture.
        vectors: Embeddings of the first pictures, shape (batch, features) each.
        unreadable: Number of pictures that could not be measured, per reason.
    """

    statistics: list[PictureStatistics] = field(default_factory=list)
    people: list[int] = field(default_factory=list)
    vectors: list[NDArray[np.float32]] = field(default_factory=list)
    unreadable: Counter[str] = field(default_factory=Counter)


def measure_sample(
    store: ObjectStore, rows: pa.Table, features: FeatureModel | None, seconds: float = EMBEDDING_SECONDS
) -> PictureSample:
    """Read the pictures of these rows, measure them, and embed them if there is a model for it.

    Args:
        store: Bucket with the pictures.
        rows: Rows of `tables.PICTURES_SCHEMA`.
        features: Model for the embeddings, if any.
        seconds: Time limit for the embeddings.

    Raises:
        UnavailableError: the bucket is unavailable.
    """
    sample, deadline = PictureSample(), time.monotonic() + seconds
    measured = _measured(store, rows, sample.unreadable)
    while batch := list(islice(measured, BATCH)):
        sample.statistics += [picture.statistics for picture in batch]
        sample.people += [picture.person for picture in batch]
        if features is not None and time.monotonic() < deadline:
            sample.vectors.append(features(np.stack([picture.pixels for picture in batch])))
    return sample


def _measured(store: ObjectStore, rows: pa.Table, unreadable: Counter[str]) -> Iterator[MeasuredPicture]:
    """Yield the usable pictures in order, and count the others."""
    people = integers(rows, "person").tolist()
    with ThreadPoolExecutor(store.transfers) as pool:
        keys = zip(rows.column("s3_path").to_pylist(), people, strict=True)
        for found in map_ahead(pool, lambda row: _measure(store, *row), keys, store.transfers * 2):
            if isinstance(found, str):
                unreadable[found] += 1
            else:
                yield found


def _measure(store: ObjectStore, key: str, person: int) -> MeasuredPicture | str:
    """Measure one picture, or return the short name of the reason why that is impossible."""
    try:
        uri = store.uri(key)
        if store.head(uri)["ContentLength"] > LARGEST_FILE:
            return "too_large"
        image, width, height = pictures.prepare(store.get_bytes(uri))
    except UnusablePictureError as error:
        return error.reason
    except MissingObjectError:
        return "missing_object"
    except BadInputError:
        return "forbidden_key"
    pixels = np.asarray(image)
    return MeasuredPicture(person, measure_picture(pixels, width, height), pixels)
