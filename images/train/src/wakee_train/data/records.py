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
        row: Its id in `emotion_labels`; 0 in manifests from before the split by people.
        known_by: What says whose it is: `user`, `session`, or `picture` where the row names neither.
        session: The number that stands for its session; None without one.
    """

    person: int
    time: float | None
    source: str
    corrected: bool
    row: int = 0
    known_by: str = "user"
    session: int | None = None

    @property
    def named(self) -> bool:
        """Whether the row says whose picture it is."""
        return self.known_by != "picture"


NOTHING_KNOWN = Facts(0, None, "", corrected=True)


class Sample(Record):
    """One picture of a data set.

    Attributes:
        name: Its name.
        labels: Its four levels, in the order of the emotions.
        facts: What else is known of it.
        perceptual_hash: 64 hexadecimal digits (`near_duplicates`). Only of pictures with neither user nor session.
    """

    name: str
    labels: Labels
    facts: Facts = NOTHING_KNOWN
    perceptual_hash: str = ""


class Shard(Record):
    """One tar file of a data set."""

    name: str
    samples: int
    sha256: str


class SharedPicture(Record):
    """The same bytes under names of several people.

    Attributes:
        names: The samples that show it, oldest first.
        people: The people of all rows that name it, usable or not.
    """

    names: list[str]
    people: list[int]


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
        shared: Pictures that several people have.
    """

    dataset_id: str
    preprocessing: str
    duplicates_rule: str = "equal-by-etag-one-of-a-split-none-of-several"
    shards: list[Shard]
    samples: list[Sample]
    excluded: dict[str, int]
    shared: list[SharedPicture] = Field(default_factory=list)


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


class Assignment(Record):
    """Which split each person is in: `datasets/people.json`. People are added, never moved or removed.

    Attributes:
        splits: The split of each person, by the number that stands for them (`wakee_contract.tables.PERSON`).
        adopted_until: The highest row id when the split by people replaced the one by names. 0: there was none before.
    """

    splits: dict[str, str] = Field(default_factory=dict)
    adopted_until: int = 0


class SplitStatistics(Record):
    """Size of a split; mean and standard deviation of its labels, in the order of the emotions.

    Attributes:
        samples: Its pictures.
        label_mean: Mean level per emotion, 0 to 3.
        label_deviation: Standard deviation per emotion.
        level_counts: Pictures per emotion and level 0 to 3.
        people: Whose pictures they are; 0 in splits by name.
        sessions: Sessions in which they were taken, as far as rows name one.
    """

    samples: int
    label_mean: list[float]
    label_deviation: list[float]
    level_counts: dict[str, list[int]]
    people: int = 0
    sessions: int = 0


class Splits(Record):
    """Which picture is in which split.

    Attributes:
        dataset_id: The data set.
        manifest_uri: Where its manifest is.
        rule: What decided.
        statistics: What each split looks like.
        names: The pictures of each split.
        left_out: The pictures that are in none, per reason.
        joined: The person that a picture counts for, by name, where it is not its row's own (`groups`).
    """

    dataset_id: str
    manifest_uri: str
    rule: str
    statistics: dict[str, SplitStatistics]
    names: dict[str, list[str]]
    left_out: dict[str, list[str]] = Field(default_factory=dict)
    joined: dict[str, int] = Field(default_factory=dict)
