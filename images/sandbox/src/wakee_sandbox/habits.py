"""Simulated usage habits of the people."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Habits:
    """Assumptions of the seeder.

    Attributes:
        people: Number of people. 0: each row is of another person.
        burst: Pictures per session, on average.
        unequal: Inequality of usage: the n-th person's share is proportional to 1 / n to this power.
        personal_bias: Standard deviation, over people, of each person's slider bias from the truth.
        anonymous: Share of the people who are not logged in: rows without a user.
        untouched: Share of the sliders that people leave at the prediction.
    """

    people: int = 40
    burst: float = 3.0
    unequal: float = 0.0
    personal_bias: float = 0.0
    anonymous: float = 0.0
    untouched: float = 0.0
