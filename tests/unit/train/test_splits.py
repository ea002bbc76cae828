"""A picture's split follows from its name alone."""

from hypothesis import given
from hypothesis import strategies as st
from wakee_train.splits import TEST, TRAIN, VALIDATION, split_of

NAMES = st.sets(st.text(min_size=1, max_size=40), min_size=1, max_size=50)


@given(NAMES, NAMES)
def test_what_is_added_moves_no_picture(first, second):
    before = {name: split_of(name) for name in first}
    after = {name: split_of(name) for name in first | second}

    assert {name: after[name] for name in first} == before


@given(NAMES)
def test_no_picture_is_in_two_splits(names):
    members = {split: {n for n in names if split_of(n) == split} for split in (TRAIN, VALIDATION, TEST)}

    assert set.union(*members.values()) == names
    assert sum(map(len, members.values())) == len(names)


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
