"""The data set: content-addressed, made once from rows and pictures, then reused by whoever needs the same.

Its id is a digest of the rows, of the pictures' ETags and of the rules they are prepared by, so an unchanged data set
is known before anything is downloaded. The manifest is written last: where it is, the rest is whole.
"""

import hashlib
import json
import logging
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

from wakee_common.concurrency import map_ahead
from wakee_common.errors import BadInputError
from wakee_common.settings import DatabaseSettings
from wakee_common.storage import MissingObjectError, ObjectStore, StoredObject
from wakee_common.uris import R2Uri

from wakee_train.data.annotations import Annotation, checked_labels, label_defect, read_annotations
from wakee_train.data.pictures import LARGEST_FILE, PREPROCESSING, UnusablePictureError, prepare
from wakee_train.data.shards import SAMPLES_PER_SHARD, pack, shard_name
from wakee_train.data.splits import split_of
from wakee_train.records import Manifest, Quarantine, Quarantined, Sample, Shard, read_record, write_record
from wakee_train.results import DatasetResult

logger = logging.getLogger(__name__)

DUPLICATE = "duplicate"
"""The same picture under a second name of the same split: left out, and no defect of the source."""
IN_SEVERAL_SPLITS = "in_several_splits"
"""The same picture under names of different splits: none is used, which could empty a split, so it counts as bad."""
DUPLICATES_RULE = "one-of-a-split-none-of-several"
SECONDS_BETWEEN_LINES = 10.0


@dataclass(frozen=True)
class Candidate:
    """A row with usable labels and a picture that is in the bucket."""

    annotation: Annotation
    stored: StoredObject


def fetch(
    store: ObjectStore,
    database: DatabaseSettings,
    *,
    min_samples: int,
    max_bad_share: float,
    until: str = "",
    drift_report_id: int | None = None,
) -> DatasetResult:
    """Make the data set of the validated annotations, or find it made.

    Raises:
        BadInputError: too large a share of the rows is bad, or there is no such drift report.
    """
    annotations = read_annotations(database, until, drift_report_id)
    listing = list_pictures(store, annotations)
    identity = dataset_id(annotations, listing)
    manifest_uri = store.uri(f"datasets/{identity}/manifest.json")
    try:
        manifest, reused = read_record(store, manifest_uri, Manifest), True
        logger.info("data set %s is unchanged: reused, nothing is downloaded", identity)
    except MissingObjectError:
        manifest, reused = _make(store, identity, annotations, listing), False
        write_record(store, manifest_uri, manifest)
    check_bad_share(len(annotations), manifest.excluded, max_bad_share, _quarantine_uri(store, identity))
    return DatasetResult(
        status="success" if len(manifest.samples) >= min_samples else "insufficient_data",
        dataset_id=identity,
        manifest_uri=str(manifest_uri),
        quarantine_uri=str(_quarantine_uri(store, identity)),
        samples=len(manifest.samples),
        excluded=manifest.excluded,
        reused=reused,
    )


def check_bad_share(rows: int, excluded: dict[str, int], max_bad_share: float, quarantine: R2Uri) -> None:
    """Refuse a source of which too much is broken.

    Raises:
        BadInputError: more than `max_bad_share` of the rows; the message says where each is listed.
    """
    bad = sum(count for reason, count in excluded.items() if reason != DUPLICATE)
    if rows and bad / rows > max_bad_share:
        reasons = ", ".join(f"{reason} {count}" for reason, count in sorted(excluded.items()))
        raise BadInputError(
            f"{bad} of {rows} annotations ({bad / rows:.1%}) cannot be used, more than {max_bad_share:.1%}: {reasons}. "
            f"Each is listed in {quarantine}"
        )


def list_pictures(store: ObjectStore, annotations: list[Annotation]) -> dict[str, StoredObject]:
    """What the bucket holds of the folders that the annotations name."""
    folders = sorted({f"{folder}{slash}" for a in annotations for folder, slash, _ in [a.key.rpartition("/")]})
    return {stored.key: stored for folder in folders for stored in store.list_folder(folder)}


def dataset_id(annotations: list[Annotation], listing: dict[str, StoredObject]) -> str:
    """The data set's name, 16 hexadecimal digits: SHA-256 over rows, ETags and rules."""
    digest = hashlib.sha256(f"{PREPROCESSING} {DUPLICATES_RULE}".encode())
    for row in annotations:
        stored = listing.get(row.key)
        digest.update(json.dumps([row.name, row.key, *map(repr, row.values), stored and stored.etag]).encode() + b"\n")
    return digest.hexdigest()[:16]


def _make(
    store: ObjectStore, identity: str, annotations: list[Annotation], listing: dict[str, StoredObject]
) -> Manifest:
    candidates, quarantined = screen(annotations, listing)
    samples = list[Sample]()
    filled = _filled(_prepared(store, candidates, quarantined), samples)
    with ThreadPoolExecutor(1, "shards") as uploader:  # one is on its way while the next is filled
        shards = list(map_ahead(uploader, lambda some: _put_shard(store, identity, *some), filled, 1))
    write_record(store, _quarantine_uri(store, identity), Quarantine(dataset_id=identity, rows=quarantined))
    excluded = dict(sorted(Counter(row.reason for row in quarantined).items()))
    logger.info("data set %s: %d samples in %d shards; left out: %s", identity, len(samples), len(shards), excluded)
    return Manifest(dataset_id=identity, preprocessing=PREPROCESSING, shards=shards, samples=samples, excluded=excluded)


def _filled(
    prepared: Iterator[tuple[Sample, bytes]], samples: list[Sample]
) -> Iterator[tuple[int, list[tuple[Sample, bytes]]]]:
    """What goes into each shard, after the position of its first sample; adds all to `samples`."""
    while batch := list(islice(prepared, SAMPLES_PER_SHARD)):
        first = len(samples)
        samples += [sample for sample, _ in batch]
        yield first, batch


def _put_shard(store: ObjectStore, identity: str, first: int, batch: list[tuple[Sample, bytes]]) -> Shard:
    name, content = shard_name(first // SAMPLES_PER_SHARD), pack(first, batch)
    store.put_bytes(store.uri(f"datasets/{identity}/{name}"), content, "application/x-tar")
    return Shard(name=name, samples=len(batch), sha256=hashlib.sha256(content).hexdigest())


def screen(
    annotations: list[Annotation], listing: dict[str, StoredObject]
) -> tuple[list[Candidate], list[Quarantined]]:
    """Separate the rows that are worth a download from those that are not.

    Of equal pictures whose names all belong to one split, the first is taken; of others none is, whichever rows are
    usable and whichever was there first: a model that learnt from one must not be tested on another.
    """
    candidates, quarantined, seen = list[Candidate](), list[Quarantined](), dict[str, str]()
    splits = splits_of_pictures(annotations, listing)
    for row in annotations:
        stored = listing.get(row.key)
        reason, detail = label_defect(row.values), ""
        if reason is None and stored is None:
            reason = "missing_object"
        elif reason is None and stored and stored.size > LARGEST_FILE:
            reason, detail = "too_large", f"{stored.size} bytes"
        elif reason is None and stored and len(splits[stored.etag]) > 1:
            reason, detail = IN_SEVERAL_SPLITS, f"its names are of {' and '.join(sorted(splits[stored.etag]))}"
        elif reason is None and stored and stored.etag in seen:
            reason, detail = DUPLICATE, f"the same picture as {seen[stored.etag]}"
        if reason is None and stored:
            seen[stored.etag] = row.name
            candidates.append(Candidate(row, stored))
        else:
            quarantined.append(Quarantined(name=row.name, key=row.key, reason=reason or "", detail=detail))
    return candidates, quarantined


def splits_of_pictures(annotations: list[Annotation], listing: dict[str, StoredObject]) -> dict[str, set[str]]:
    """For the ETag of each picture the splits of all its names, be their rows usable or not."""
    splits: dict[str, set[str]] = {}
    for row in annotations:
        if (stored := listing.get(row.key)) is not None:
            splits.setdefault(stored.etag, set()).add(split_of(row.name))
    return splits


def _prepared(
    store: ObjectStore, candidates: list[Candidate], quarantined: list[Quarantined]
) -> Iterator[tuple[Sample, bytes]]:
    """The usable pictures in order, a bounded number in flight at once; adds the others to `quarantined`."""
    started = told = time.monotonic()
    with ThreadPoolExecutor(store.transfers) as pool:
        pictures = map_ahead(pool, lambda candidate: _picture(store, candidate), candidates, store.transfers * 8)
        for done, (candidate, picture) in enumerate(zip(candidates, pictures, strict=True), start=1):
            row = candidate.annotation
            if time.monotonic() - told > SECONDS_BETWEEN_LINES or done == len(candidates):
                told = time.monotonic()
                logger.info("pictures: %d of %d, %.0f per second", done, len(candidates), done / (told - started))
            if isinstance(picture, Quarantined):
                quarantined.append(picture)
            else:
                yield Sample(name=row.name, labels=checked_labels(row.values)), picture


def _picture(store: ObjectStore, candidate: Candidate) -> bytes | Quarantined:
    row = candidate.annotation
    try:
        return prepare(store.get_bytes(store.uri(row.key)))
    except UnusablePictureError as error:
        return Quarantined(name=row.name, key=row.key, reason=error.reason, detail=error.detail)
    except BadInputError as error:
        return Quarantined(name=row.name, key=row.key, reason="missing_object", detail=str(error)[:200])


def _quarantine_uri(store: ObjectStore, identity: str) -> R2Uri:
    return store.uri(f"datasets/{identity}/quarantine.json")
