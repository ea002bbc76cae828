"""Every group is in one split, for ever, whatever order rows come in; the splits stay balanced."""

import sys
from collections import Counter, defaultdict
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wakee_train.data.assignment import (
    IN_SEVERAL_SPLITS,
    JOINED,
    STRICTEST_FIRST,
    WAS_IN_TEST,
    Assigned,
    assign,
)
from wakee_train.data.groups import joined_people
from wakee_train.data.records import Assignment, Facts, Sample, SharedPicture
from wakee_train.data.splits import TEST, TRAIN, VALIDATION, split_by_name

from support.sandbox import REPO

sys.path.append(str(REPO / "images" / "sandbox" / "src"))
LABELS = (1.0, 1.0, 1.0, 1.0)
NOTHING = Assignment()
PEOPLE = st.lists(st.integers(1, 12), min_size=1, max_size=60)
"""Whose each picture is, in the order in which the rows come."""


def picture(row: int, person: int, known_by: str = "user", session: int | None = None, likeness: int = 0) -> Sample:
    """A picture; those with neither user nor session look alike when their likeness is the same."""
    facts = Facts(person, None, "", corrected=True, row=row, known_by=known_by, session=session)
    likeness_hash = "" if facts.named else likeness.to_bytes(1).hex() * 32
    return Sample(name=f"picture-{row}.jpg", labels=LABELS, facts=facts, perceptual_hash=likeness_hash)


def nobody(row: int, likeness: int) -> Sample:
    return picture(row, 10_000 + row, "picture", likeness=likeness)


def pictures(people: list[int]) -> list[Sample]:
    return [picture(row, person) for row, person in enumerate(people, start=1)]


def assigned(
    samples: list[Sample], before: Assignment = NOTHING, shared: list[SharedPicture] | None = None
) -> Assigned:
    return assign(samples, joined_people(samples), shared or [], before)


def splits_of_people(samples: list[Sample], outcome: Assigned) -> dict[int, set[str]]:
    found = defaultdict(set)
    for sample in samples:
        if sample.name in outcome.splits:
            found[sample.facts.person].add(outcome.splits[sample.name])
    return found


@given(PEOPLE, st.lists(st.integers(1, 60), max_size=4), st.integers(0, 60), st.randoms())
def test_everybody_is_in_one_split_and_stays_there_as_rows_come(people, ends, adopted_until, chance):
    rows = pictures(people)
    chance.shuffle(rows)
    before, ever = Assignment(adopted_until=adopted_until), defaultdict(set)
    for end in [*sorted(ends), len(rows)]:
        outcome = assigned(sorted(rows[:end], key=lambda sample: sample.facts.row), before)
        for person, splits in splits_of_people(rows[:end], outcome).items():
            ever[person] |= splits
        before = outcome.assignment

    assert all(len(splits) == 1 for splits in ever.values())
    assert before.adopted_until == adopted_until


@given(PEOPLE, st.integers(0, 60))
def test_a_retry_decides_the_same(people, adopted_until):
    before = Assignment(adopted_until=adopted_until)
    first = assigned(pictures(people), before)

    assert assigned(pictures(people), before) == first
    assert assigned(pictures(people), first.assignment) == first


@given(PEOPLE)
def test_five_people_leave_no_split_empty(people):
    outcome = assigned(pictures([1, 2, 3, 4, 5, *people]))

    assert set(outcome.splits.values()) == {TRAIN, VALIDATION, TEST}
    assert not outcome.left_out


@given(st.lists(st.integers(1, 30), min_size=60, max_size=120), st.integers(1, 60))
def test_shares_are_70_15_15_however_many_pictures_people_have(sizes, first):
    """In two steps: those who come later fill up what is missing."""
    people = [person for person, size in enumerate(sizes) for _ in range(size)]
    before = assigned(pictures([person for person in people if person < first])).assignment
    counts = Counter(assigned(pictures(people), before).splits.values())

    for split, share in ((TRAIN, 0.70), (VALIDATION, 0.15), (TEST, 0.15)):
        assert abs(counts[split] / len(people) - share) < 0.10


def test_with_23_people_five_are_tested_on():
    outcome = assigned(pictures([row % 23 for row in range(600)]))

    people = Counter(next(iter(splits)) for splits in splits_of_people(pictures([*range(23)] * 27), outcome).values())
    assert people == {TRAIN: 15, VALIDATION: 3, TEST: 5}


def test_a_picture_that_was_in_the_test_split_is_never_trained_on():
    rows = pictures([row % 10 for row in range(400)])
    outcome = assigned(rows, Assignment(adopted_until=300))

    left_out = {row.name for row in rows if outcome.left_out.get(row.name) == WAS_IN_TEST}
    kept = {row.name for row in rows if outcome.splits.get(row.name) == TEST}
    assert left_out == {row.name for row in rows[:300] if split_by_name(row.name) == TEST} - kept
    assert left_out
    assert kept == {row.name for row in rows if outcome.assignment.splits[str(row.facts.person)] == TEST}


def likeness_of(split: str) -> int:
    """A row whose name belongs to a split: a picture that is nobody's goes there."""
    return next(row for row in range(1, 1000) if split_by_name(f"picture-{row}.jpg") == split)


def test_near_duplicates_of_nobody_are_in_one_split():
    rows = [nobody(row, likeness=row % 7) for row in range(1, 100)]
    outcome = assigned(rows)

    for likeness in range(7):
        alike = {outcome.splits[row.name] for row in rows if row.facts.row % 7 == likeness}
        assert alike == {split_by_name(next(row.name for row in rows if row.facts.row % 7 == likeness))}


@pytest.mark.parametrize(
    ("first", "second"), [(TRAIN, TEST), (TEST, TRAIN), (TRAIN, VALIDATION), (VALIDATION, TEST)], ids=str
)
def test_groups_that_are_joined_later_take_the_stricter_split(first, second):
    rows = [nobody(likeness_of(first), 0), nobody(likeness_of(second), 255)]
    before = assigned(rows).assignment
    joined = {rows[1].name: rows[0].facts.person}  # as a third picture, like both, would do

    outcome = assign(rows, joined, [], before)

    strictest = min(first, second, key=STRICTEST_FIRST.index)
    stays, leaves = rows if strictest == first else rows[::-1]
    assert outcome.splits == {stays.name: strictest}
    assert outcome.left_out == {leaves.name: JOINED}
    assert outcome.assignment == before


def test_a_session_counts_for_its_only_user():
    rows = [picture(1, 50, "session", session=7), picture(2, 60, session=7), picture(3, 70, session=8)]
    rows += [picture(4, 80, session=8), picture(5, 90, "session", session=8)]

    assert joined_people(rows) == {"picture-1.jpg": 60}


def test_somebody_who_logs_in_late_and_was_tested_on_without_a_name_is_not_trained_on():
    people = pictures([1] * 40 + [2] * 10 + [3] * 10)
    before = Assignment(splits={"1": TRAIN, "50": TEST})
    anonymous, named = picture(100, 50, "session", session=7), picture(101, 1, session=7)

    outcome = assigned([*people, anonymous, named], before)

    assert outcome.splits[anonymous.name] == TEST
    assert {outcome.left_out.get(row.name) for row in [*people[:40], named]} == {JOINED}


def test_equal_pictures_of_people_in_several_splits_are_in_none_and_else_used_once():
    rows = pictures([1, 2, 3, 1, 2, 3])
    before = Assignment(splits={"1": TRAIN, "2": TEST, "3": TRAIN, "4": TEST})
    shared = [
        SharedPicture(names=[rows[0].name, rows[1].name], people=[1, 2]),
        SharedPicture(names=[rows[2].name, rows[3].name], people=[3, 1]),
        SharedPicture(names=[rows[5].name], people=[3, 4]),  # the row of person 4 is not usable
    ]

    outcome = assigned(rows, before, shared)

    several = dict.fromkeys((rows[0].name, rows[1].name, rows[5].name), IN_SEVERAL_SPLITS)
    assert outcome.left_out == several | {rows[3].name: "duplicate"}
    assert outcome.splits == {rows[2].name: TRAIN, rows[4].name: TEST}


@pytest.mark.parametrize("people", [23, 40])
def test_people_of_the_sandbox_are_no_longer_tested_on_while_they_are_in_training(people):
    """By names every test picture was of somebody who is in training too."""
    from wakee_sandbox.habits import Habits
    from wakee_sandbox.population import Options, populate

    found = populate(Options(datetime(2025, 2, 4), rows=600, habits=Habits(people=people)))
    users = sorted({visit.user for visit in found.visits})
    rows = [
        Sample(name=name, labels=LABELS, facts=Facts(users.index(visit.user) + 1, None, "", corrected=True, row=row))
        for row, (name, visit) in enumerate(zip(found.names, found.visits, strict=True), start=1)
    ]

    by_name, by_people = {row.name: split_by_name(row.name) for row in rows}, assigned(rows).splits

    assert seen_in_training(rows, by_name) == 1
    assert seen_in_training(rows, by_people) == 0
    tested = {row.facts.person for row in rows if by_people[row.name] == TEST}
    assert len(tested) >= 5
    assert list(by_people.values()).count(TEST) >= 30


def seen_in_training(rows: list[Sample], splits: dict[str, str]) -> float:
    """The share of the test pictures whose person is in training."""
    trained = {row.facts.person for row in rows if splits[row.name] == TRAIN}
    tested = [row.facts.person for row in rows if splits[row.name] == TEST]
    return sum(person in trained for person in tested) / len(tested)


KINDS = st.one_of(
    st.tuples(st.just("user"), st.integers(1, 6), st.integers(1, 4)),
    st.tuples(st.just("session"), st.integers(11, 14), st.none()),
    st.tuples(st.just("picture"), st.none(), st.sampled_from([0, 1, 255, 15])),
)
"""Whose a picture is: a user in some session, somebody in a session, nobody with a likeness."""


def drawn(row: int, kind: tuple) -> Sample:
    known_by, person, detail = kind
    if known_by == "picture":
        return nobody(row, detail)
    return picture(row, person, known_by, session=detail or person - 10)


@given(st.lists(KINDS, min_size=1, max_size=40), st.lists(st.integers(1, 40), max_size=4), st.randoms())
def test_whom_rows_join_later_is_in_one_split_and_never_in_another_one(kinds, ends, chance):
    rows = [drawn(row, kind) for row, kind in enumerate(kinds, start=1)]
    chance.shuffle(rows)
    before, ever = NOTHING, defaultdict(set)
    for end in [*sorted(ends), len(rows)]:
        now = sorted(rows[:end], key=lambda sample: sample.facts.row)
        joined, outcome = joined_people(now), assigned(now, before)
        groups = defaultdict(set)
        for sample in now:
            if split := outcome.splits.get(sample.name):
                ever[sample.facts.person].add(split)
                groups[joined.get(sample.name, sample.facts.person)].add(split)
        assert all(len(splits) == 1 for splits in groups.values())
        assert set(outcome.left_out.values()) <= {JOINED}
        before = outcome.assignment

    assert all(len(splits) == 1 for splits in ever.values())
