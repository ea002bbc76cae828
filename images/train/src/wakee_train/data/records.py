"""The JSON documents of a data set: its samples, the excluded rows, and the split of each picture."""

from typing import Annotated, NamedTuple

from pydantic import Field
from wakee_common.training_sample import PictureStatistics
from wakee_contract.emotions import EMOTIONS

from wakee_train.records import LabelQuality, Record

Labels = Annotated[tuple[float, ...], Field(min_length=len(EMOTIONS), max_length=len(EMOTIONS))]
"""Levels from 0 to 3, in the order of the emotions."""


class Facts(NamedTuple):
    """Metadata of a picture besides its levels.

    Attributes:
        person: The number of its person (`wakee_contract.tables.PERSON`).
        time: When it was annotated, in seconds since 1970; None if unknown.
        source: The application that it comes from; empty if unknown.
        corrected: Whether somebody moved a slider away from the prediction.
        row: Its id in `emotion_labels`; 0 in manifests from before the split by people.
        known_by: The column that identifies the person: `user`, `session`, or `picture` if the row has neither.
        session: The number of its session; None without one.
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
        """Whether the row identifies the picture's person."""
        return self.known_by != "picture"


NOTHING_KNOWN = Facts(0, None, "", corrected=True)


class Sample(Record):
    """One picture of a data set.

    Attributes:
        name: Its name.
        labels: Its four levels, in the order of the emotions.
        facts: Its metadata.
        perceptual_hash: 64 hexadecimal digits (`near_duplicates`). In older data sets only for pictures with neither
            user nor session.
        picture: What the camera did; None in older data sets.
    """

    name: str
    labels: Labels
    facts: Facts = NOTHING_KNOWN
    perceptual_hash: str = ""
    picture: PictureStatistics | None = None


class Shard(Record):
    """One tar file of a data set."""

    name: str
    samples: int
    sha256: str


class SharedPicture(Record):
    """A picture that several people have, under several names.

    Attributes:
        names: The samples that show it, oldest first.
        people: The people of all rows that name it, usable or not.
    """

    names: list[str]
    people: list[int]


class Manifest(Record):
    """A data set; `samples` are in the order of the shards.

    Attributes:
        dataset_id: Its id.
        preprocessing: How its pictures were prepared.
        duplicates_rule: Which of equal pictures it contains. Older manifests have no such field; there, pictures were
            equal if their ETags were equal.
        shards: Its files.
        samples: Its pictures.
        excluded: Number of excluded rows per reason.
        shared: Pictures that several people have.
        labels: Labels that say little about the pictures; None in older manifests.
    """

    dataset_id: str
    preprocessing: str
    duplicates_rule: str = "equal-by-etag-one-of-a-split-none-of-several"
    shards: list[Shard]
    samples: list[Sample]
    excluded: dict[str, int]
    shared: list[SharedPicture] = Field(default_factory=list)
    labels: LabelQuality | None = None


class Quarantined(Record):
    """A row that is excluded from the data set, with the reason."""

    name: str
    key: str
    reason: str
    detail: str = ""


class Quarantine(Record):
    """All rows that were excluded from a data set."""

    dataset_id: str
    rows: list[Quarantined]


class Assignment(Record):
    """The split of each person: `datasets/people.json`. People are added, never moved or removed.

    Attributes:
        splits: The split of each person, by the person's number (`wakee_contract.tables.PERSON`).
        adopted_until: The highest row id when the split by people replaced the one by names. 0: no earlier split.
    """

    splits: dict[str, str] = Field(default_factory=dict)
    adopted_until: int = 0


class SplitStatistics(Record):
    """Size of a split; mean and standard deviation of its labels, in the order of the emotions.

    Attributes:
        samples: Number of pictures.
        label_mean: Mean level per emotion, 0 to 3.
        label_deviation: Standard deviation per emotion.
        level_counts: Pictures per emotion and level 0 to 3.
        people: Number of people; 0 in splits by name.
        sessions: Number of sessions, among the rows that have one.
    """

    samples: int
    label_mean: list[float]
    label_deviation: list[float]
    level_counts: dict[str, list[int]]
    people: int = 0
    sessions: int = 0


class Splits(Record):
    """The pictures of each split of a data set.

    Attributes:
        dataset_id: The data set's id.
        manifest_uri: URI of its manifest.
        rule: The rule by which it was split.
        statistics: Statistics of each split.
        names: The names of each split's pictures.
        left_out: The names of the pictures in no split, per reason.
        joined: The person that a picture counts for, by the picture's name, if not the person of its row (`groups`).
        labels: Labels of the data set that say little about the pictures; None if its manifest has no such counts.
    """

    dataset_id: str
    manifest_uri: str
    rule: str
    statistics: dict[str, SplitStatistics]
    names: dict[str, list[str]]
    left_out: dict[str, list[str]] = Field(default_factory=dict)
    joined: dict[str, int] = Field(default_factory=dict)
    labels: LabelQuality | None = None
