"""Training, validation and test: which one a picture is in follows from its name alone, for ever.

A picture that was once in the test split can thus never be trained on later, whatever is added or removed around it.

The same bytes may lie under several names. Were the first usable row to decide, a picture would move to another split
when that row's labels break or are mended, or another row joins. So the data set looks at all names of a picture,
usable or not: where they belong to one split, the picture is in it; where they belong to several, it is in none
(`duplicates`). A picture can then leave a split when a name joins, but never come to another one, as long as rows
stay in the database, as the API leaves them.
"""

import hashlib
import logging

import numpy as np
from wakee_common.errors import BadInputError
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri
from wakee_contract.emotions import EMOTIONS

from wakee_train.data.records import Manifest, Sample, Splits, SplitStatistics
from wakee_train.records import read_record, write_record
from wakee_train.results import SplitsResult

logger = logging.getLogger(__name__)

TRAIN, VALIDATION, TEST = "train", "validation", "test"
UPPER_BOUNDS = {TRAIN: 0.70, VALIDATION: 0.85, TEST: 1.0}
RULE = "sha256(name)[:8] / 2**64: below 0.70 train, below 0.85 validation, else test"


def split_of(name: str) -> str:
    """The split of a picture."""
    position = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    return next((split for split, bound in UPPER_BOUNDS.items() if position < bound), TEST)


def split(store: ObjectStore, folder: R2Uri, manifest_uri: R2Uri) -> SplitsResult:
    """Write which sample is in which split, and what the splits look like.

    Raises:
        BadInputError: a split is empty.
    """
    manifest = read_record(store, manifest_uri, Manifest)
    members: dict[str, list[Sample]] = {name: [] for name in UPPER_BOUNDS}
    for sample in manifest.samples:
        members[split_of(sample.name)].append(sample)
    for name, samples in members.items():
        if not samples:
            raise BadInputError(f"the {name} split of data set {manifest.dataset_id} is empty: more samples are needed")
    splits = Splits(
        dataset_id=manifest.dataset_id,
        manifest_uri=str(manifest_uri),
        rule=RULE,
        statistics={name: statistics(samples) for name, samples in members.items()},
        names={name: [sample.name for sample in samples] for name, samples in members.items()},
    )
    uri = write_record(store, folder / "splits.json", splits)
    counts = {name: len(samples) for name, samples in members.items()}
    logger.info("splits: %s", ", ".join(f"{name} {count}" for name, count in counts.items()))
    return SplitsResult(splits_uri=str(uri), dataset_id=manifest.dataset_id, samples=counts)


def statistics(samples: list[Sample]) -> SplitStatistics:
    """Describe the labels of a split."""
    labels = np.array([sample.labels for sample in samples])
    levels = np.floor(labels + 0.5).astype(int)
    return SplitStatistics(
        samples=len(samples),
        label_mean=labels.mean(axis=0).round(6).tolist(),
        label_deviation=labels.std(axis=0).round(6).tolist(),
        level_counts={
            emotion: np.bincount(levels[:, index], minlength=4).tolist() for index, emotion in enumerate(EMOTIONS)
        },
    )
