"""The data set: content-addressed, built once from rows and pictures, then reused.

Its id is a digest of the rows, the pictures' ETags and sizes, and the preparation rules, so an unchanged data set is
recognized before anything is downloaded. An ETag only shows that an object changed. Equal pictures are found by their
bytes when they are read (`duplicates`).

The manifest is written last: if it exists, the data set is complete.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Iterator

from wakee_common.errors import BadInputError
from wakee_common.settings import DatabaseSettings
from wakee_common.storage import MissingObjectError, ObjectStore, StoredObject
from wakee_common.uris import R2Uri

from wakee_train.data.annotations import Annotation, checked_labels, read_annotations
from wakee_train.data.duplicates import DUPLICATE, DUPLICATES_RULE, Selection
from wakee_train.data.label_quality import described, label_quality
from wakee_train.data.packing import Packed, write_shards
from wakee_train.data.pictures import PREPROCESSING
from wakee_train.data.records import Manifest, Quarantine, Quarantined, Sample
from wakee_train.data.source_pictures import Content, SourcePicture, list_pictures, read_pictures, screen
from wakee_train.records import read_record, write_record
from wakee_train.results import DatasetResult

logger = logging.getLogger(__name__)

MANIFEST, QUARANTINE = "manifest.json", "quarantine.json"
"""Files of a data set, beside its shards."""


def fetch(
    store: ObjectStore,
    database: DatabaseSettings,
    *,
    min_samples: int,
    max_bad_share: float,
    until: str = "",
    drift_report_id: int | None = None,
    own_folder: R2Uri | None = None,
) -> DatasetResult:
    """Build the data set of the validated annotations, or return the existing one.

    Args:
        store: The bucket.
        database: Where the annotations are.
        min_samples: With fewer usable ones the status is `insufficient_data`.
        max_bad_share: The largest share of unusable rows, 0 to 1.
        until: Only annotations before this moment, UTC; empty for all.
        drift_report_id: The report that asked for the training; it must exist.
        own_folder: Where a new data set goes that is not to be shared with other runs.

    Raises:
        BadInputError: the share of unusable rows is too large, or the drift report does not exist.
    """
    annotations = read_annotations(database, until, drift_report_id)
    listing = list_pictures(store, annotations)
    identity = dataset_id(annotations, listing)
    folder = store.root / f"datasets/{identity}"
    if own_folder is not None and not store.exists(folder / MANIFEST):
        folder = own_folder / identity
    try:
        manifest, reused = read_record(store, folder / MANIFEST, Manifest), True
        logger.info("data set %s is unchanged: it is reused, nothing is downloaded", identity)
    except MissingObjectError:
        manifest, reused = _make(store, folder, identity, annotations, listing), False
        write_record(store, folder / MANIFEST, manifest)
    logger.info("labels: %s", described(manifest.labels))
    check_bad_share(len(annotations), manifest.excluded, max_bad_share, folder / QUARANTINE)
    return DatasetResult(
        status="success" if len(manifest.samples) >= min_samples else "insufficient_data",
        dataset_id=identity,
        manifest_uri=str(folder / MANIFEST),
        quarantine_uri=str(folder / QUARANTINE),
        samples=len(manifest.samples),
        excluded=manifest.excluded,
        reused=reused,
        labels=manifest.labels,
    )


def check_bad_share(rows: int, excluded: dict[str, int], max_bad_share: float, quarantine: R2Uri) -> None:
    """Check that the share of unusable rows is within the limit.

    Raises:
        BadInputError: more than `max_bad_share` of the rows are unusable. The message names the list of these rows.
    """
    bad = sum(count for reason, count in excluded.items() if reason != DUPLICATE)
    if rows and bad / rows > max_bad_share:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(excluded.items()))
        raise BadInputError(
            f"{bad} of {rows} annotations ({bad / rows:.1%}) are unusable, more than {max_bad_share:.1%}: {reasons}. "
            f"Each is listed in {quarantine}"
        )


def dataset_id(annotations: list[Annotation], listing: dict[str, StoredObject]) -> str:
    """The data set's id, 16 hexadecimal digits of the SHA-256 over rows, facts, ETags, sizes and rules."""
    digest = hashlib.sha256(f"{PREPROCESSING} {DUPLICATES_RULE}".encode())
    for row in annotations:
        stored = listing.get(row.key)
        version = stored and [stored.etag, stored.size]
        digest.update(json.dumps([row.name, row.key, *map(repr, row.values), row.facts, version]).encode() + b"\n")
    return digest.hexdigest()[:16]


def _make(
    store: ObjectStore,
    folder: R2Uri,
    identity: str,
    annotations: list[Annotation],
    listing: dict[str, StoredObject],
) -> Manifest:
    selection = Selection()
    pictures, quarantined = screen(annotations, listing)
    shards, samples = write_shards(store, folder, _selected(store, pictures, selection, quarantined))
    quarantined += selection.left_out()
    write_record(store, folder / QUARANTINE, Quarantine(dataset_id=identity, rows=quarantined))
    excluded = dict(sorted(Counter(row.reason for row in quarantined).items()))
    logger.info("data set %s: %d samples in %d shards, excluded: %s", identity, len(samples), len(shards), excluded)
    return Manifest(
        dataset_id=identity,
        preprocessing=PREPROCESSING,
        duplicates_rule=DUPLICATES_RULE,
        shards=shards,
        samples=samples,
        excluded=excluded,
        shared=selection.shared(),
        labels=label_quality(samples),
    )


def _selected(
    store: ObjectStore, pictures: list[SourcePicture], selection: Selection, quarantined: list[Quarantined]
) -> Iterator[Packed]:
    """Yield the samples with their pictures, in order. Adds the rows of pictures with a defect to `quarantined`."""
    for picture, content in read_pictures(store, pictures):
        if content.reason:
            quarantined += [
                Quarantined(name=row.name, key=row.key, reason=content.reason, detail=content.detail)
                for row in picture.usable
            ]
            continue
        selection.add_people(content.sha256, picture.rows())
        for row in picture.usable:
            if selection.take(content.sha256, row):
                yield _sample(row, content), content.packed


def _sample(row: Annotation, content: Content) -> Sample:
    return Sample(
        name=row.name,
        labels=checked_labels(row.values),
        facts=row.facts,
        perceptual_hash=content.perceptual_hash,
        picture=content.statistics,
    )
