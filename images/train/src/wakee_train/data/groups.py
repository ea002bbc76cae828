"""Group pictures of the same person beyond the user that each row names.

* A row without a user counts for the user of its session, if the session has exactly one (the user logged in late).
* A row with neither user nor session counts for the first of its near-duplicates.
"""

from collections import defaultdict
from collections.abc import Sequence

from wakee_train.data.near_duplicates import clusters
from wakee_train.data.records import Sample


def joined_people(samples: Sequence[Sample]) -> dict[str, int]:
    """The person that a picture counts for, by the picture's name, if it is not the person of the picture's row."""
    return _by_session(samples) | _by_likeness(
        [sample for sample in samples if not sample.facts.named and sample.perceptual_hash]
    )


def _by_session(samples: Sequence[Sample]) -> dict[str, int]:
    users: defaultdict[int | None, set[int]] = defaultdict(set)
    for sample in samples:
        if sample.facts.known_by == "user" and sample.facts.session is not None:
            users[sample.facts.session].add(sample.facts.person)
    only = {session: people.pop() for session, people in users.items() if len(people) == 1}
    nameless = [sample for sample in samples if sample.facts.known_by == "session"]
    return {sample.name: only[sample.facts.session] for sample in nameless if sample.facts.session in only}


def _by_likeness(samples: Sequence[Sample]) -> dict[str, int]:
    firsts = clusters([sample.perceptual_hash for sample in samples])
    return {samples[at].name: samples[first].facts.person for at, first in enumerate(firsts) if at != first}
