"""Assign each person to one split, so that a model is tested on people that it has never seen. Pure; see ADR 9.

A person is in the same split as everybody whom `groups` treats as the same person. Assignments are permanent. New
people, those with the most pictures first, go to the split that lacks the most pictures.

Earlier, the split followed from a picture's name. Pictures that the old rule put into the test split, but whose person
is in training or validation now, are excluded permanently, because they may have helped to select a champion.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from wakee_train.data.duplicates import DUPLICATE
from wakee_train.data.records import Assignment, Sample, SharedPicture
from wakee_train.data.splits import TEST, TRAIN, VALIDATION, split_by_name

STRICTEST_FIRST = (TEST, VALIDATION, TRAIN)
HELD_OUT = 0.15
"""Share of the pictures in validation, and in the test split if there are many people."""
TEST_PEOPLE, LARGEST_TEST_SHARE = 5, 0.25
"""With few people, the test split gets a larger share, up to this one, to hold as many people as the gate requires."""
WAS_IN_TEST = "was_in_the_test_split"
JOINED = "joined_with_another_split"
IN_SEVERAL_SPLITS = "in_several_splits"

Group = list[Sample]


class Assigned(NamedTuple):
    """The result of an assignment.

    Attributes:
        splits: The split of each picture in use, by the picture's name.
        left_out: The reason for each excluded picture, by the picture's name.
        assignment: The assignment to store.
    """

    splits: dict[str, str]
    left_out: dict[str, str]
    assignment: Assignment


def assign(
    samples: Iterable[Sample], joined: Mapping[str, int], shared: Iterable[SharedPicture], before: Assignment
) -> Assigned:
    """Put every group into one split.

    The function is deterministic, and idempotent: passing the resulting assignment as `before` changes nothing.

    Args:
        samples: All pictures of the data set, oldest first.
        joined: The person that a picture counts for, by the picture's name, if not the person of its row (`groups`).
        shared: Pictures that several people have.
        before: The stored assignment.
    """
    groups = _groups(samples, joined)
    chosen = _chosen(groups, before.splits)
    kept = dict(before.splits)
    reasons: dict[str, str] = {}
    for group, split in zip(groups, chosen, strict=True):
        for sample in group:
            decided = kept.setdefault(str(sample.facts.person), split)
            if reason := _left_out(sample, split, decided, before.adopted_until):
                reasons[sample.name] = reason
    reasons |= _equal_pictures(shared, kept, reasons)
    splits = {
        sample.name: split
        for group, split in zip(groups, chosen, strict=True)
        for sample in group
        if sample.name not in reasons
    }
    return Assigned(splits, reasons, before.model_copy(update={"splits": kept}))


def _groups(samples: Iterable[Sample], joined: Mapping[str, int]) -> list[Group]:
    groups: defaultdict[int, Group] = defaultdict(list)
    for sample in samples:
        groups[joined.get(sample.name, sample.facts.person)].append(sample)
    return list(groups.values())


def _chosen(groups: Sequence[Group], kept: Mapping[str, str]) -> list[str]:
    """The split of each group: the assigned one, else by name if a picture has no person, else the neediest split."""
    chosen = [_decided(group, kept) for group in groups]
    pictures = Counter[str]()
    for group, split in zip(groups, chosen, strict=True):
        pictures[split] += len(group)
    targets = _targets(sum(map(len, groups)), len(groups))
    new = sorted((at for at, split in enumerate(chosen) if not split), key=lambda at: -len(groups[at]))
    for left, at in zip(range(len(new), 0, -1), new, strict=True):
        chosen[at] = _neediest(pictures, targets, left)
        pictures[chosen[at]] += len(groups[at])
    return chosen


def _decided(group: Group, kept: Mapping[str, str]) -> str:
    """The split that a group is assigned to already; empty for new people."""
    decided = {kept.get(str(sample.facts.person)) for sample in group}
    for split in STRICTEST_FIRST:
        if split in decided:
            return split
    return "" if group[0].facts.named else split_by_name(group[0].name)


def _targets(pictures: int, people: int) -> dict[str, float]:
    """The number of pictures that each split should have."""
    test = min(max(HELD_OUT, TEST_PEOPLE / max(people, 1)), LARGEST_TEST_SHARE)
    shares = {TRAIN: 1 - HELD_OUT - test, TEST: test, VALIDATION: HELD_OUT}
    return {split: share * pictures for split, share in shares.items()}


def _neediest(pictures: Mapping[str, int], targets: Mapping[str, float], groups_left: int) -> str:
    """The split that gets the next group. The last groups go to splits that would otherwise stay empty."""
    empty = [split for split in targets if not pictures[split]]
    if len(empty) >= groups_left:
        return empty[0]
    return max(targets, key=lambda split: targets[split] - pictures[split])


def _left_out(sample: Sample, split: str, decided: str, adopted_until: int) -> str:
    """Why a picture of a group in this split is excluded; empty if it is used."""
    if decided != split:
        return JOINED
    was_in_test = sample.facts.row <= adopted_until and split_by_name(sample.name) == TEST
    return WAS_IN_TEST if was_in_test and split != TEST else ""


def _equal_pictures(
    shared: Iterable[SharedPicture], kept: Mapping[str, str], left_out: Mapping[str, str]
) -> dict[str, str]:
    """Exclude equal pictures of several people: all if the people are in several splits, else all but the first."""
    return dict(chain.from_iterable(_equal(picture, kept, left_out) for picture in shared))


def _equal(picture: SharedPicture, kept: Mapping[str, str], left_out: Mapping[str, str]) -> list[tuple[str, str]]:
    names = [name for name in picture.names if name not in left_out]
    splits = {kept[str(person)] for person in picture.people if str(person) in kept}
    return [(name, IN_SEVERAL_SPLITS) for name in names] if len(splits) > 1 else [(n, DUPLICATE) for n in names[1:]]
