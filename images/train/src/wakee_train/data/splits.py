"""The splits training, validation and test: names, statistics, and the old split rule by name."""

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from wakee_contract.emotions import EMOTIONS

from wakee_train.data.records import Sample, SplitStatistics

TRAIN, VALIDATION, TEST = "train", "validation", "test"
UPPER_BOUNDS = {TRAIN: 0.70, VALIDATION: 0.85, TEST: 1.0}
RULE_BY_PEOPLE = "people-1: all pictures of a person are in one split, as datasets/people.json says"
"""The rule of new splits. Older splits have another."""


def split_by_name(name: str) -> str:
    """The split of a picture by the old rule, a hash of its name.

    It still applies to new pictures with neither user nor session, and shows which pictures were in the test split.
    """
    position = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") / 2**64
    return next((split for split, bound in UPPER_BOUNDS.items() if position < bound), TEST)


def statistics(samples: Sequence[Sample], joined: Mapping[str, int]) -> SplitStatistics:
    """Compute the statistics of a split that is not empty.

    Args:
        samples: Its pictures.
        joined: The person that a picture counts for, by the picture's name, if not the person of its row (`groups`).
    """
    labels = np.array([sample.labels for sample in samples])
    levels = np.floor(labels + 0.5).astype(int)
    people = [joined.get(sample.name, sample.facts.person) for sample in samples]
    sessions = {(person, s.facts.session) for person, s in zip(people, samples, strict=True) if s.facts.session}
    return SplitStatistics(
        samples=len(samples),
        label_mean=labels.mean(axis=0).round(6).tolist(),
        label_deviation=labels.std(axis=0).round(6).tolist(),
        level_counts={
            emotion: np.bincount(levels[:, index], minlength=4).tolist() for index, emotion in enumerate(EMOTIONS)
        },
        people=len(set(people)),
        sessions=len(sessions),
    )


def described(split: SplitStatistics) -> str:
    """Describe a split in one line: pictures, people, sessions, and pictures per level 0 to 3 of each emotion."""
    levels = ", ".join(f"{emotion} {'/'.join(map(str, counts))}" for emotion, counts in split.level_counts.items())
    return f"{split.samples} pictures of {split.people} people in {split.sessions} sessions, levels 0 to 3: {levels}"
