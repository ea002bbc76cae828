"""The pictures that annotations name: listed, screened without a download, then read and prepared."""

import hashlib
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from wakee_common.concurrency import map_ahead
from wakee_common.errors import BadInputError
from wakee_common.storage import ObjectStore, StoredObject

from wakee_train.data.annotations import Annotation, label_defect
from wakee_train.data.near_duplicates import perceptual_hash
from wakee_train.data.pictures import LARGEST_FILE, UnusablePictureError, prepare
from wakee_train.data.records import Quarantined

logger = logging.getLogger(__name__)

SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True)
class SourcePicture:
    """An object of the bucket, with the rows that name it.

    Attributes:
        key: Its key.
        usable: Rows whose labels can be learnt from.
        unusable: The others. They are not samples, but their people have the picture all the same.
    """

    key: str
    usable: list[Annotation] = field(default_factory=list)
    unusable: list[Annotation] = field(default_factory=list)

    def rows(self) -> list[Annotation]:
        """All its rows."""
        return [*self.usable, *self.unusable]


@dataclass(frozen=True)
class Content:
    """What was read of a picture.

    Attributes:
        sha256: Of its bytes; empty when there are none.
        packed: The prepared picture; empty when it has a defect, or when no row needs it.
        perceptual_hash: Of the prepared picture; empty when each usable row says whose it is.
        reason: Short name of its defect; empty when it has none.
        detail: More about the defect.
    """

    sha256: bytes
    packed: bytes = b""
    perceptual_hash: str = ""
    reason: str = ""
    detail: str = ""


def list_pictures(store: ObjectStore, annotations: list[Annotation]) -> dict[str, StoredObject]:
    """What the bucket holds of the folders that the annotations name."""
    folders = sorted({f"{folder}{slash}" for a in annotations for folder, slash, _ in [a.key.rpartition("/")]})
    return {stored.key: stored for folder in folders for stored in store.list_folder(folder)}


def screen(
    annotations: list[Annotation], listing: dict[str, StoredObject]
) -> tuple[list[SourcePicture], list[Quarantined]]:
    """The pictures that are worth a download, in the order of their first rows, and the rows that are not usable.

    A picture of unusable rows only is read as well, for its bytes may lie under another name, too.
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
    """Why a row is not usable, as far as is known without its picture; empty when it is."""
    if reason := label_defect(row.values):
        return reason, ""
    if stored is None:
        return "missing_object", ""
    return ("too_large", f"{stored.size} bytes") if stored.size > LARGEST_FILE else ("", "")


def read_pictures(store: ObjectStore, pictures: list[SourcePicture]) -> Iterator[tuple[SourcePicture, Content]]:
    """The pictures with their contents, in order; a bounded number is in work at once."""
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
        packed = prepare(file)
    except UnusablePictureError as error:
        return Content(sha256, reason=error.reason, detail=error.detail)
    nobody = any(not row.facts.named for row in picture.usable)
    return Content(sha256, packed, perceptual_hash(packed) if nobody else "")
