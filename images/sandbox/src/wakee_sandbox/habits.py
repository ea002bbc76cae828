"""How people use the app."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Habits:
    """What the seeder assumes of them.

    Attributes:
        people: How many there are; 0: a row is of somebody else each time, as rows were before there were people.
        burst: Pictures per session, on average.
        unequal: How much more some use it than others; the n-th person's share is 1 / n to this power.
        personal_bias: Standard deviation, over people, of how far each sets every slider from the truth.
        anonymous: Share of the people who are not logged in: rows without a user.
        untouched: Share of the sliders that are left where the prediction put them.
    """

    people: int = 40
    burst: float = 3.0
    unequal: float = 0.0
    personal_bias: float = 0.0
    anonymous: float = 0.0
    untouched: float = 0.0
