"""A picture's split follows from its name alone, and no picture, whatever its names, is ever in two."""

from collections import defaultdict

from hypothesis import example, given
from hypothesis import strategies as st
from wakee_train.data.annotations import Annotation
from wakee_train.data.duplicates import Selection
from wakee_train.data.splits import TEST, TRAIN, VALIDATION, split_of

TRAINED_ON, TESTED_ON = "a.jpg", "face-00012.jpg"
NAMES = st.one_of(st.sampled_from([TRAINED_ON, TESTED_ON, "face-00006.jpg"]), st.text(min_size=1, max_size=10))
ROWS = st.lists(st.tuples(NAMES, st.integers(0, 3)), min_size=1, max_size=12, unique_by=lambda row: row[0])
"""Names with their pictures, in the order in which they come to the database."""
TIMES = st.lists(st.tuples(st.integers(1, 12), st.sets(st.integers(0, 11))), min_size=1, max_size=4)
"""At the time of a training: how many rows there are, and which of them have unusable labels."""


def samples(rows: list[tuple[str, int]], unusable: set[int]) -> list[tuple[str, int]]:
    """The rows that are samples in the end, with their pictures."""
    selection, taken = Selection(), list[tuple[str, int]]()
    for at, (name, picture) in enumerate(rows):
        row, digest = Annotation(name, f"pictures/{name}", (1.0, 1.0, 1.0, 1.0)), picture.to_bytes(32)
        selection.add_names(digest, [name])
        if at not in unusable and selection.take(digest, row):
            taken.append((name, picture))
    withdrawn, left_out = selection.withdrawn(), {row.name for row in selection.left_out()}
    kept = [sample for position, sample in enumerate(taken) if position not in withdrawn]
    assert {name for at, (name, _) in enumerate(rows) if at not in unusable} - left_out == {name for name, _ in kept}
    return kept


@given(ROWS, TIMES)
@example([(TESTED_ON, 0), (TRAINED_ON, 0)], [(1, set()), (2, set())])
@example([(TRAINED_ON, 0), (TESTED_ON, 0)], [(1, set()), (2, set())])
@example([(TESTED_ON, 0), (TRAINED_ON, 0)], [(2, set()), (2, {0})])
def test_no_picture_is_ever_in_two_splits(rows, times):
    splits = defaultdict(set)
    for count, unusable in times:
        for name, picture in samples(rows[:count], unusable):
            splits[picture].add(split_of(name))

    assert all(len(found) == 1 for found in splits.values())


@given(ROWS)
def test_no_picture_is_twice_in_a_data_set_and_none_of_a_single_name_is_lost(rows):
    found = [picture for _, picture in samples(rows, set())]
    pictures = [picture for _, picture in rows]

    assert len(set(found)) == len(found)
    assert {picture for picture in pictures if pictures.count(picture) == 1} <= set(found)


def test_shares_are_70_15_15():
    found = [split_of(f"20260401_{number:06d}.jpg") for number in range(20_000)]

    for split, share in ((TRAIN, 0.70), (VALIDATION, 0.15), (TEST, 0.15)):
        assert abs(found.count(split) / len(found) - share) < 0.01


def test_the_rule_never_changes():
    """Recorded once: were this to fail, pictures of old test splits would leak into training."""
    recorded = {
        "a.jpg": "train",
        "20250204_103000_1234.jpg": "train",
        "😀.png": "train",
        "face-00006.jpg": "validation",
        "face-00008.jpg": "validation",
        "face-00012.jpg": "test",
        "face-00016.jpg": "test",
    }

    assert {name: split_of(name) for name in recorded} == recorded
