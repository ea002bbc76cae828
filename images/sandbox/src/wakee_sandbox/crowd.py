"""Simulate the people who take the pictures: they return, and take several pictures per session."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from wakee_sandbox.habits import Habits
from wakee_sandbox.people import Shot

Floats = NDArray[np.float64]

BETWEEN_SHOTS = timedelta(seconds=20)
MOOD = 0.25
"""Standard deviation of a level within a session, where levels are similar from one picture to the next."""
PLACE = "sandbox-"
"""Prefix of the session id of every row that the seeder writes."""


@dataclass(frozen=True)
class Visit:
    """The person of a row: `user_id` (None if not logged in), `session_id`, and the shot to draw."""

    user: str | None
    session: str
    shot: Shot | int


@dataclass(frozen=True)
class Crowd:
    """All rows in the order of their times.

    Attributes:
        visits: The visit of each row.
        times: When each picture was taken.
        first: For each row, the index of its session's first row.
        person: For each row, the number of its person.
    """

    visits: list[Visit]
    times: list[datetime]
    first: NDArray[np.int64]
    person: NDArray[np.int64]


def strangers(times: list[datetime], seed: int, apart: int) -> Crowd:
    """Create rows that are independent of each other, with 23 user ids in turn."""
    rows = np.arange(len(times))
    visits = [
        Visit(f"user-{row % 23:02d}", f"{PLACE}{time.date()}", seed * apart + row) for row, time in enumerate(times)
    ]
    return Crowd(visits, times, rows, rows)


def gather(habits: Habits, slots: list[datetime], seed: int, chance: np.random.Generator) -> Crowd:
    """Fill the time slots with sessions. A session takes one slot per picture, and starts at the first one."""
    shares = 1 / np.arange(1, habits.people + 1) ** habits.unequal
    nameless = chance.permutation(habits.people) < round(habits.anonymous * habits.people)
    visits, times, first, person = list[Visit](), list[datetime](), list[int](), list[int]()
    while len(visits) < len(slots):
        begin, who = len(visits), int(chance.choice(habits.people, p=shares / shares.sum()))
        size = min(1 + int(chance.poisson(max(habits.burst - 1, 0))), len(slots) - begin)
        # No picture is later than the last slot of its session.
        apart = min(BETWEEN_SHOTS, (slots[begin + size - 1] - slots[begin]) / max(size - 1, 1))
        session = f"{PLACE}{slots[begin]:%Y%m%d-%H%M%S}"
        for number in range(size):
            shot = Shot(f"{seed}-{who}", session, begin + number)
            visits.append(Visit(None if nameless[who] else f"user-{who:03d}", session, shot))
            times.append((slots[begin] + number * apart).replace(microsecond=0))
            first.append(begin)
            person.append(who)
    return Crowd(visits, times, np.array(first), np.array(person))


def moods(crowd: Crowd, truth: Floats, chance: np.random.Generator) -> Floats:
    """Make levels, shape (rows, 4), similar within a session. The first row of each session keeps its levels."""
    drift = chance.normal(0, MOOD, truth.shape)
    drift[crowd.first == np.arange(len(truth))] = 0
    alike: Floats = truth[crowd.first] + drift
    return alike
