"""The records of a data set: what is in it, what was left out, and which picture is in which split."""

from typing import Annotated, NamedTuple

from pydantic import Field
from wakee_contract.emotions import EMOTIONS

from wakee_train.records import Record

Labels = Annotated[tuple[float, ...], Field(min_length=len(EMOTIONS), max_length=len(EMOTIONS))]
"""Levels in the order of the emotions."""


class Facts(NamedTuple):
    """What is known of a picture beside its levels.

    Attributes:
        person: The number that stands for whose it is (`wakee_contract.tables.PERSON`).
        time: When it was annotated, in seconds since 1970; None where the database does not say.
        source: Which application it came by; empty where the database does not say.
        corrected: Whether somebody moved a slider away from the prediction.
    """

    person: int
    time: float | None
    source: str
    corrected: bool


NOTHING_KNOWN = Facts(0, None, "", corrected=True)


class Sample(Record):
    """One picture of a data set: its name and its four levels, in the order of the emotions."""

    name: str
    labels: Labels
    facts: Facts = NOTHING_KNOWN


class Shard(Record):
    """One tar file of a data set."""

    name: str
    samples: int
    sha256: str


class Manifest(Record):
    """A data set; `samples` are in the order of the shards.

    Attributes:
        dataset_id: Its name.
        preprocessing: How its pictures were prepared.
        duplicates_rule: Which of equal pictures it holds. In older manifests, which do not say so, pictures were equal
            when their ETags were.
        shards: Its files.
        samples: Its pictures.
        excluded: How many rows were left out, per reason.
    """

    dataset_id: str
    preprocessing: str
    duplicates_rule: str = "equal-by-etag-one-of-a-split-none-of-several"
    shards: list[Shard]
    samples: list[Sample]
    excluded: dict[str, int]


class Quarantined(Record):
    """A row that is not in the data set, and why."""

    name: str
    key: str
    reason: str
    detail: str = ""


class Quarantine(Record):
    """All rows that were left out of a data set."""

    dataset_id: str
    rows: list[Quarantined]


class SplitStatistics(Record):
    """Size of a split; mean and standard deviation of its labels, in the order of the emotions."""

    samples: int
    label_mean: list[float]
    label_deviation: list[float]
    level_counts: dict[str, list[int]]


class Splits(Record):
    """Which picture is in which split."""

    dataset_id: str
    manifest_uri: str
    rule: str
    statistics: dict[str, SplitStatistics]
    names: dict[str, list[str]]
