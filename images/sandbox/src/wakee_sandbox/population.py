"""Generate the annotations of a sandbox. Pure functions, deterministic for the options."""

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum

import numpy as np
from numpy.typing import NDArray
from wakee_common.errors import BadInputError
from wakee_common.times import parse_utc
from wakee_contract.emotions import EMOTIONS, HIGHEST_LEVEL, LOWEST_LEVEL

from wakee_sandbox.crowd import Crowd, Visit, gather, moods, strangers
from wakee_sandbox.habits import Habits

Floats = NDArray[np.float64]

LOOK_BACK = timedelta(days=7)
NO_BIAS = (0.0,) * len(EMOTIONS)
SEEDS_APART = 1_000_003


class Flaw(Enum):
    """Kinds of defects of a row."""

    NAN_LABEL = "nan_label"
    OUT_OF_RANGE = "out_of_range"
    MISSING_OBJECT = "missing_object"
    TRUNCATED_PICTURE = "truncated_picture"


LABEL_FLAWS = {Flaw.NAN_LABEL, Flaw.OUT_OF_RANGE}


@dataclass(frozen=True)
class Error:
    """The errors of the model's predictions: a bias per emotion, and normal noise."""

    bias: tuple[float, ...] = NO_BIAS
    noise: float = 0.2


@dataclass(frozen=True)
class Options:
    """Options of the population. In the last `drift_days`, `drift` replaces `usual`."""

    until: datetime
    rows: int = 600
    days: float = 14
    usual: Error = field(default_factory=Error)
    drift: Error | None = None
    drift_days: float = 7
    bad: int = 0
    seed: int = 7
    habits: Habits = field(default_factory=Habits)


@dataclass(frozen=True)
class Population:
    """Annotations in the order of their times. Arrays have the shape (rows, 4), with levels 0 to 3."""

    names: list[str]
    times: list[datetime]
    truth: Floats
    predicted: Floats
    corrected: Floats
    flaws: dict[int, Flaw]
    visits: list[Visit]
    until: datetime

    def mae(self, window: timedelta = LOOK_BACK) -> Floats:
        """Compute the MAE per emotion over the rows of the last `window` with valid labels; NaN without any.

        Shape (4,), on the scale 0 to 3. Its mean is the drift score.
        """
        start = self.until - window
        chosen = [
            row for row, time in enumerate(self.times) if time >= start and self.flaws.get(row) not in LABEL_FLAWS
        ]
        if not chosen:
            return np.full(len(EMOTIONS), np.nan)
        mae: Floats = np.abs(self.predicted[chosen] - self.corrected[chosen]).mean(axis=0)
        return mae


def populate(options: Options) -> Population:
    """Generate the annotations. Defective rows are added to `rows`, spread over the same days."""
    total = options.rows + options.bad
    chance = np.random.default_rng(options.seed)
    slots = _times(options, total, chance)
    # One decimal, the step of the sliders with which people correct the predictions.
    truth = chance.uniform(LOWEST_LEVEL, HIGHEST_LEVEL, (total, len(EMOTIONS))).round(1)
    spread = chance.standard_normal((total, len(EMOTIONS)))
    # A separate generator, so that habits do not change other random numbers.
    whims = np.random.default_rng((options.seed, options.habits.people))
    if options.habits.people:
        crowd = gather(options.habits, slots, options.seed, whims)
        truth = np.clip(moods(crowd, truth, whims), LOWEST_LEVEL, HIGHEST_LEVEL).round(1)
    else:
        crowd = strangers(slots, options.seed, SEEDS_APART)
    times = crowd.times
    predicted: Floats = np.clip(truth + _errors(options, times, spread), LOWEST_LEVEL, HIGHEST_LEVEL)
    predicted, flaws = predicted.round(4), _flaws(options)
    corrected = _sliders(options.habits, crowd, truth, predicted, whims)
    return Population(
        names=[f"{time:%Y%m%d_%H%M%S}_{row % 10_000:04d}.jpg" for row, time in enumerate(times)],
        times=times,
        truth=truth,
        predicted=predicted,
        corrected=_corrections(corrected, flaws),
        flaws=flaws,
        visits=crowd.visits,
        until=options.until,
    )


def parse_bias(text: str) -> tuple[float, ...]:
    """Parse `0.1` (every emotion) or `confusion=0.5,frustration=0.6` (0 for the others).

    Raises:
        BadInputError: an emotion is unknown, or a value is not a number.
    """
    try:
        if "=" not in text:
            return (_number(text or "0"),) * len(EMOTIONS)
        given = {name.strip(): _number(value) for name, value in (part.split("=") for part in text.split(","))}
    except ValueError as error:
        raise BadInputError(f"not a valid bias: {text!r} (expected a number, or emotion=number,...)") from error
    if unknown := set(given) - set(EMOTIONS):
        raise BadInputError(f"unknown emotion {sorted(unknown)[0]!r} in {text!r}. Use some of {', '.join(EMOTIONS)}")
    return tuple(given.get(emotion, 0.0) for emotion in EMOTIONS)


def parse_until(text: str) -> datetime:
    """Parse an ISO time, or `now`: the last full hour, so that a second run within the hour creates the same rows.

    Returns:
        UTC without a time zone, as in the table.

    Raises:
        BadInputError: the text is neither of the two.
    """
    if text == "now":
        return datetime.now(UTC).replace(minute=0, second=0, microsecond=0, tzinfo=None)
    try:
        return parse_utc(text)
    except ValueError as error:
        raise BadInputError(f"not a valid time: {text!r} (expected ISO 8601 or 'now')") from error


def _number(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def _times(options: Options, total: int, chance: np.random.Generator) -> list[datetime]:
    """Draw one time in each of `total` equal slots, so that every window has its share of the rows."""
    slot = timedelta(days=options.days) / max(total, 1)
    start = options.until - timedelta(days=options.days)
    moments = [start + slot * (row + share) for row, share in enumerate(chance.uniform(0.02, 0.98, total))]
    return [moment.replace(microsecond=0) for moment in moments]


def _errors(options: Options, times: list[datetime], spread: Floats) -> Floats:
    drift = options.drift or options.usual
    start = options.until - timedelta(days=options.drift_days)
    late = np.array([time >= start for time in times], dtype=bool)[:, None]
    usual = np.array(options.usual.bias) + options.usual.noise * spread
    drifted = np.array(drift.bias) + drift.noise * spread
    return np.where(late, drifted, usual)


def _flaws(options: Options) -> dict[int, Flaw]:
    kinds, total = list(Flaw), options.rows + options.bad
    return {(2 * index + 1) * total // (2 * options.bad): kinds[index % len(kinds)] for index in range(options.bad)}


def _sliders(habits: Habits, crowd: Crowd, truth: Floats, predicted: Floats, chance: np.random.Generator) -> Floats:
    """The slider values: each person's estimate of the truth, or the prediction for untouched sliders."""
    taste = chance.normal(0, habits.personal_bias, (int(crowd.person.max(initial=0)) + 1, len(EMOTIONS)))
    meant = np.clip(truth + taste[crowd.person], LOWEST_LEVEL, HIGHEST_LEVEL).round(1)
    return np.where(chance.random(truth.shape) < habits.untouched, predicted, meant)


def _corrections(sliders: Floats, flaws: dict[int, Flaw]) -> Floats:
    """The labels in the database: the slider values, or invalid values in defective rows."""
    corrected = sliders.copy()
    for row, flaw in flaws.items():
        if flaw is Flaw.NAN_LABEL:
            corrected[row, 1] = np.nan
        elif flaw is Flaw.OUT_OF_RANGE:
            corrected[row, 3] = 7.5
    return corrected
