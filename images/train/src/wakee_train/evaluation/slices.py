"""Parts of the test pictures that the gate checks separately, and the constant predictor for a missing champion."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from wakee_common.database import reading
from wakee_common.errors import BadInputError
from wakee_common.settings import DatabaseSettings

from wakee_train.data.records import Facts, Manifest, Splits
from wakee_train.evaluation.paired import Rows

WINDOW = "SELECT window_start, window_end FROM drift_reports WHERE id = %s"
ASKING, BEFORE, CORRECTED = "days of the drift report", "all days before", "corrected pictures"


class Window(NamedTuple):
    """The days of a drift report, in seconds since 1970; the end is exclusive."""

    start: float
    end: float


def window_of(database: DatabaseSettings, drift_report_id: int | None) -> Window | None:
    """Read the window of the drift report that triggered the training; None without a report or without a window.

    Raises:
        BadInputError: the report does not exist.
    """
    if drift_report_id is None:
        return None
    with reading(database) as connection, connection.cursor() as cursor:
        cursor.execute(WINDOW, (drift_report_id,))
        found: tuple[datetime | None, datetime | None] | None = cursor.fetchone()
    if found is None:
        raise BadInputError(f"there is no drift report with the id {drift_report_id}")
    start, end = found
    return Window(_seconds(start), _seconds(end)) if start and end else None


def facts_of(manifest: Manifest, names: Sequence[str]) -> list[Facts]:
    """The facts of some pictures of a data set, in the order of the names."""
    known = {sample.name: sample.facts for sample in manifest.samples}
    return [known[name] for name in names]


def slices(facts: Sequence[Facts], window: Window | None) -> dict[str, Rows]:
    """The parts by name, shape (N,) each: days, sources if there are several, and corrected pictures."""
    parts: dict[str, Rows] = {CORRECTED: np.array([each.corrected for each in facts])}
    if window:
        times = np.array([np.nan if each.time is None else each.time for each in facts])
        parts |= {ASKING: (times >= window.start) & (times < window.end), BEFORE: times < window.start}
    sources = sorted({each.source for each in facts})
    if len(sources) > 1:
        parts |= {f"source {name or 'unknown'}": np.array([each.source == name for each in facts]) for name in sources}
    return parts


def people(facts: Sequence[Facts], names: Sequence[str], splits: Splits) -> NDArray[np.int64]:
    """The person of each picture, shape (N,). Pictures that the split joined to one person count for that person."""
    return np.array([splits.joined.get(name, each.person) for name, each in zip(names, facts, strict=True)], np.int64)


def medians(manifest: Manifest, splits: Splits, split: str) -> NDArray[np.float64]:
    """The median level of each emotion in a split, shape (4,): the constant prediction with the lowest MAE."""
    wanted = set(splits.names[split])
    values: NDArray[np.float64] = np.median([s.labels for s in manifest.samples if s.name in wanted], axis=0)
    return values


def _seconds(moment: datetime) -> float:
    return moment.replace(tzinfo=UTC).timestamp()
