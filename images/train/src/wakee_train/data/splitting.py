"""`split-dataset`: divide the pictures of a data set into training, validation and test, with statistics.

People are assigned once, for all data sets (`people`). The resulting splits are stored beside the data set's manifest
and reused, so a retry, or a later run with the same data set, gets the same splits.
"""

import logging
from collections import Counter

from wakee_common.storage import MissingObjectError, ObjectStore
from wakee_common.uris import R2Uri

from wakee_train.data import label_quality
from wakee_train.data.assignment import Assigned, assign
from wakee_train.data.groups import joined_people
from wakee_train.data.people import FOLDER, SPLITS, read_people, write_people
from wakee_train.data.records import Manifest, Sample, Splits
from wakee_train.data.splits import RULE_BY_PEOPLE, UPPER_BOUNDS, described, statistics
from wakee_train.records import read_record, write_record
from wakee_train.results import SplitsResult

logger = logging.getLogger(__name__)


def split(store: ObjectStore, manifest_uri: R2Uri, own_folder: R2Uri | None = None) -> SplitsResult:
    """Write the splits of a data set, or return those that exist.

    With too few people for three splits, the result's status is `insufficient_data` and nothing is written.

    Args:
        store: The bucket.
        manifest_uri: The data set.
        own_folder: Where new splits go that are not to be shared with other runs. New people are then assigned for this
            run only.

    Raises:
        BadInputError: `people.json` is missing, although data sets were split by it.
        UnavailableError: another process changed `people.json` since it was read.
    """
    manifest = read_record(store, manifest_uri, Manifest)
    uri = store.root / f"{FOLDER}{manifest.dataset_id}/{SPLITS}"
    try:
        splits = read_record(store, uri, Splits)
        logger.info("the splits of data set %s already exist: they are reused", splits.dataset_id)
    except MissingObjectError:
        uri = uri if own_folder is None else own_folder / SPLITS
        splits = _decide(store, manifest, manifest_uri, uri, keep_people=own_folder is None)
    return _result(splits, uri)


def _decide(store: ObjectStore, manifest: Manifest, manifest_uri: R2Uri, uri: R2Uri, *, keep_people: bool) -> Splits:
    """Assign new people. The people are stored before the splits, so that a retry after a crash decides the same."""
    before = read_people(store, manifest)
    joined = joined_people(manifest.samples)
    assigned = assign(manifest.samples, joined, manifest.shared, before.assignment)
    splits = _splits(manifest, manifest_uri, assigned, joined)
    if _empty(splits):
        return splits
    if keep_people:
        write_people(store, before, assigned.assignment)
    write_record(store, uri, splits)
    return splits


def _splits(manifest: Manifest, manifest_uri: R2Uri, assigned: Assigned, joined: dict[str, int]) -> Splits:
    members: dict[str, list[Sample]] = {name: [] for name in UPPER_BOUNDS}
    for sample in manifest.samples:
        if sample.name in assigned.splits:
            members[assigned.splits[sample.name]].append(sample)
    return Splits(
        dataset_id=manifest.dataset_id,
        manifest_uri=str(manifest_uri),
        rule=RULE_BY_PEOPLE,
        statistics={name: statistics(samples, joined) for name, samples in members.items() if samples},
        names={name: [sample.name for sample in samples] for name, samples in members.items()},
        left_out={
            reason: [name for name, why in assigned.left_out.items() if why == reason]
            for reason in sorted(set(assigned.left_out.values()))
        },
        joined=joined,
        labels=manifest.labels,
    )


def _empty(splits: Splits) -> list[str]:
    return [name for name, members in splits.names.items() if not members]


def _result(splits: Splits, uri: R2Uri) -> SplitsResult:
    left_out = Counter({reason: len(names) for reason, names in splits.left_out.items()})
    for name, found in splits.statistics.items():
        logger.info("%s: %s", name, described(found))
    logger.info("labels: %s", label_quality.described(splits.labels))
    if left_out:
        logger.info("not in any split: %s", ", ".join(f"{reason} {count}" for reason, count in left_out.items()))
    if empty := _empty(splits):
        logger.warning(
            "Data set %s has too few people: there are no pictures for %s. Collect annotations of more people",
            splits.dataset_id,
            " and ".join(empty),
        )
    return SplitsResult(
        status="insufficient_data" if empty else "success",
        splits_uri=None if empty else str(uri),
        dataset_id=splits.dataset_id,
        samples={name: len(members) for name, members in splits.names.items()},
        people={name: found.people for name, found in splits.statistics.items()},
        sessions={name: found.sessions for name, found in splits.statistics.items()},
        levels={name: found.level_counts for name, found in splits.statistics.items()},
        left_out=dict(left_out),
        labels=splits.labels,
    )
