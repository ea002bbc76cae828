"""The split by names, which still says what was once tested on, and what describes a split."""

from wakee_train.data.records import Facts, Sample
from wakee_train.data.splits import TEST, TRAIN, VALIDATION, described, split_by_name, statistics


def test_shares_are_70_15_15():
    found = [split_by_name(f"20260401_{number:06d}.jpg") for number in range(20_000)]

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

    assert {name: split_by_name(name) for name in recorded} == recorded


def test_a_split_is_described_with_people_sessions_and_levels():
    facts = [
        Facts(1, None, "", True, 1, "user", 7),
        Facts(1, None, "", True, 2, "user", 8),
        Facts(9, None, "", True, 3),
    ]
    samples = [Sample(name=str(fact.row), labels=(0.4, 1.0, 2.5, 3.0), facts=fact) for fact in facts]

    found = statistics(samples, joined={})

    assert (found.samples, found.people, found.sessions) == (3, 2, 2)
    assert statistics(samples, joined={"3": 1}).people == 1
    assert found.level_counts["boredom"] == [3, 0, 0, 0]
    assert described(found).startswith("3 pictures of 2 people in 2 sessions, levels 0 to 3: boredom 3/0/0/0, ")
