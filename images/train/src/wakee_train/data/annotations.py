"""Validated annotations: rows of `emotion_labels`, each with usable labels or the reason why they are unusable."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg2 import sql
from wakee_common.database import reading
from wakee_common.errors import BadInputError
from wakee_common.settings import DatabaseSettings
from wakee_contract.emotions import HALF_A_STEP, HIGHEST_LEVEL, LOWEST_LEVEL
from wakee_contract.tables import KNOWN_BY, LABELS, PERSON, PREDICTED, SESSION

from wakee_train.data.records import NOTHING_KNOWN, Facts, Labels

ROWS_AT_A_TIME = 10_000
REPORT = "SELECT 1 FROM drift_reports WHERE id = %s"


FACTS = sql.SQL(
    '{person}, CASE WHEN isfinite("timestamp") THEN extract(epoch FROM "timestamp")::float8 END,'
    " COALESCE(source, ''), COALESCE({corrected}, true), id, {known_by}, {session}"
).format(
    person=sql.SQL(PERSON),
    known_by=sql.SQL(KNOWN_BY),
    session=sql.SQL(SESSION),
    corrected=sql.SQL(" OR ").join(
        sql.SQL("abs({} - {}) > {}").format(sql.Identifier(label), sql.Identifier(predicted), sql.Literal(HALF_A_STEP))
        for label, predicted in zip(LABELS, PREDICTED, strict=True)
    ),
)
"""Columns of `Facts`, in the order of its fields."""


@dataclass(frozen=True)
class Annotation:
    """One validated row, as stored in the database."""

    name: str
    key: str
    values: tuple[float | None, ...]
    facts: Facts = NOTHING_KNOWN


def read_annotations(database: DatabaseSettings, until: str, drift_report_id: int | None) -> list[Annotation]:
    """Read every validated row before `until` (all rows if empty), oldest first.

    Raises:
        BadInputError: the drift report does not exist.
    """
    with reading(database) as connection:
        if drift_report_id is not None:
            with connection.cursor() as cursor:
                cursor.execute(REPORT, (drift_report_id,))
                if cursor.fetchone() is None:
                    raise BadInputError(f"there is no drift report with the id {drift_report_id}")
        with connection.cursor("annotations") as cursor:
            cursor.itersize = ROWS_AT_A_TIME
            cursor.execute(_query(until))
            return [_annotation(row) for row in cursor]


def _annotation(row: tuple[Any, ...]) -> Annotation:
    name, key, *rest = row
    return Annotation(name, key, tuple(rest[: len(LABELS)]), Facts(*rest[len(LABELS) :]))


def _query(until: str) -> sql.Composed:
    before: sql.Composable = sql.SQL("")
    if until:
        before = sql.SQL('AND ("timestamp" IS NULL OR "timestamp" < {})').format(sql.Literal(until))
    return sql.SQL("SELECT img_name, s3_path, {}, {} FROM emotion_labels WHERE is_validated {} ORDER BY id").format(
        sql.SQL(", ").join(sql.Identifier(column) for column in LABELS), FACTS, before
    )


def label_defect(values: Iterable[float | None]) -> str | None:
    """Why these labels are unusable; None if they are usable."""
    given = list(values)
    if any(value is None for value in given):
        return "label_missing"
    numbers = [float(value) for value in given if value is not None]
    if not all(map(math.isfinite, numbers)):
        return "label_not_finite"
    if not all(LOWEST_LEVEL <= number <= HIGHEST_LEVEL for number in numbers):
        return "label_out_of_range"
    return None


def checked_labels(values: tuple[float | None, ...]) -> Labels:
    """Return the labels as four numbers. They must be usable."""
    return tuple(float(value or 0.0) for value in values)
