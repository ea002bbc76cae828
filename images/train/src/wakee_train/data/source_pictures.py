"""The pictures of the annotations: listed, screened without a download, then read and prepared."""

import hashlib
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from wakee_common.concurrency import map_ahead
from wakee_common.errors import BadInputError
from wakee_common.pictures import LARGEST_FILE, UnusablePictureError
from wakee_common.storage import ObjectStore, StoredObject
from wakee_common.training_sample import PictureStatistics

from wakee_train.data.annotations import Annotation, label_defect
from wakee_train.data.near_duplicates import perceptual_hash
from wakee_train.data.pictures import prepare_and_measure
from wakee_train.data.records import Quarantined

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True)
class SourcePicture:
    """An object of the bucket, with the rows that name it.

    Attributes:
        key: Its key.
        usable: Rows with usable labels.
        unusable: The other rows. They are not samples, but still show which people have the picture.
    """

    key: str
    usable: list[Annotation] = field(default_factory=list)
    unusable: list[Annotation] = field(default_factory=list)

    def rows(self) -> list[Annotation]:
        """All its rows, usable or not."""
        return [*self.usable, *self.unusable]


@dataclass(frozen=True)
class Content:
    """The content of a picture.

    Attributes:
        sha256: Digest of its bytes; empty if it has none.
        packed: The prepared picture; empty if it has a defect or no row needs it.
        perceptual_hash: Hash of the prepared picture; empty without one.
        statistics: What the camera did; None without a prepared picture.
        reason: Short name of its defect; empty if it has none.
        detail: Details of the defect.
    """

    sha256: bytes
    packed: bytes = b""
    perceptual_hash: str = ""
    statistics: PictureStatistics | None = None
    reason: str = ""
    detail: str = ""


def list_pictures(store: ObjectStore, annotations: list[Annotation]) -> dict[str, StoredObject]:
    """List the objects in the folders that the annotations name."""
    folders = sorted({f"{folder}{slash}" for a in annotations for folder, slash, _ in [a.key.rpartition("/")]})
    return {stored.key: stored for folder in folders for stored in store.list_folder(folder)}


def screen(
    annotations: list[Annotation], listing: dict[str, StoredObject]
) -> tuple[list[SourcePicture], list[Quarantined]]:
    """Return the pictures to download, in the order of their first rows, and the unusable rows.

    A picture that has only unusable rows is read as well, because its bytes may also exist under another name.
    """
    pictures, quarantined = dict[str, SourcePicture](), list[Quarantined]()
    for row in annotations:
        stored = listing.get(row.key)
        reason, detail = _defect(row, stored)
        if reason:
            quarantined.append(Quarantined(name=row.name, key=row.key, reason=reason, detail=detail))
        if stored is not None and stored.size <= LARGEST_FILE:
            picture = pictures.setdefault(row.key, SourcePicture(row.key))
            (picture.unusable if reason else picture.usable).append(row)
    return list(pictures.values()), quarantined


def _defect(row: Annotation, stored: StoredObject | None) -> tuple[str, str]:
    """Why a row is unusable, as far as is known without reading its picture; empty if it is usable."""
    if reason := label_defect(row.values):
        return reason, ""
    if stored is None:
        return "missing_object", ""
    return ("too_large", f"{stored.size} bytes") if stored.size > LARGEST_FILE else ("", "")


def read_pictures(store: ObjectStore, pictures: list[SourcePicture]) -> Iterator[tuple[SourcePicture, Content]]:
    """Yield the pictures with their contents, in order. A bounded number is read concurrently."""
    started = logged = time.monotonic()
    with ThreadPoolExecutor(store.transfers) as pool:
        contents = map_ahead(pool, lambda picture: _read(store, picture), pictures, store.transfers * 8)
        for done, (picture, content) in enumerate(zip(pictures, contents, strict=True), start=1):
            if time.monotonic() - logged > SECONDS_BETWEEN_LINES or done == len(pictures):
                logged = time.monotonic()
                logger.info("pictures: %d of %d, %.0f per second", done, len(pictures), done / (logged - started))
            yield picture, content


def _read(store: ObjectStore, picture: SourcePicture) -> Content:
    try:
        file = store.get_bytes(store.uri(picture.key))
    except BadInputError as error:
        return Content(b"", reason="missing_object", detail=str(error)[:200])
    sha256 = hashlib.sha256(file).digest()
    if not picture.usable:
        return Content(sha256)
    try:
        packed, statistics = prepare_and_measure(file)
    except UnusablePictureError as error:
        return Content(sha256, reason=error.reason, detail=error.detail)
    return Content(sha256, packed, perceptual_hash(packed), statistics)
