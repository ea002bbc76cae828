"""Read people's corrections from the database, check them, and write them to a Parquet file."""

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pyarrow as pa
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, despite its lowercase name
from wakee_common.database import reading
from wakee_common.files import sha256_of, workspace
from wakee_common.settings import DatabaseSettings
from wakee_common.storage import ObjectStore
from wakee_common.telemetry import measured
from wakee_common.uris import R2Uri
from wakee_contract.tables import LABELS, PERSON

from wakee_drift.fetch.copying import Copier, copier
from wakee_drift.fetch.validity import add_counts, usable_labels
from wakee_drift.fetch.windows import Windows
from wakee_drift.records import Provenance
from wakee_drift.results import AnnotationsResult
from wakee_drift.tables import (
    ANNOTATIONS_SCHEMA,
    PICTURES_SCHEMA,
    arrow,
    matrix,
    nulls,
    table_writer,
)

logger = logging.getLogger(__name__)

PICTURES = "pictures.parquet"
REFERENCE_ROWS = 10_000
"""Maximum number of rows of the reference window's sample."""


@dataclass(frozen=True)
class Written:
    """Number of rows of a file, and of those left out, per reason."""

    rows: int
    excluded: dict[str, int]


def fetch(
    store: ObjectStore,
    database: DatabaseSettings,
    folder: R2Uri,
    windows: Windows,
    min_samples: int,
    picture_sample: int = 0,
) -> AnnotationsResult:
    """Write the validated annotations of the look-back window, and samples of pictures and reference window, to R2."""
    provenance = Provenance(
        report_date=windows.report_date,
        window_start=windows.start,
        window_end=windows.end,
        reference_start=windows.reference_start,
        min_samples=min_samples,
    )
    with workspace() as work:
        with reading(database) as connection:
            measured("wakee_annotation_age_days", "Age of the newest annotation.", _age_in_days(connection))
            with copier(database, connection) as source:
                reference = _write(source, reference_query(windows), work / "reference.parquet", provenance)
                provenance = provenance.model_copy(update={"reference_excluded": reference.excluded})
                written = _write(source, window_query(windows), work / "annotations.parquet", provenance)
                pictures = _write_pictures(source, pictures_query(windows, picture_sample), work / PICTURES)
        for name in ("annotations.parquet", "reference.parquet", PICTURES):
            store.put_file(folder / name, work / name)
        digest = sha256_of(work / "annotations.parquet")
    log_exclusions("annotations", written)
    return AnnotationsResult(
        status="success" if written.rows >= min_samples else "insufficient_data",
        report_date=windows.report_date,
        window_start=windows.start,
        window_end=windows.end,
        annotations_uri=str(folder / "annotations.parquet"),
        reference_uri=str(folder / "reference.parquet"),
        pictures_uri=str(folder / PICTURES),
        rows=written.rows,
        reference_rows=reference.rows,
        pictures=pictures,
        excluded=written.excluded,
        sha256=digest,
    )


def _age_in_days(connection: Connection) -> float | None:
    """Return the age in days of the newest validated annotation, without those of the future; None if there is none.

    The column holds UTC without a time zone. It may hold `infinity`, which PostgreSQL cannot subtract.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (extract(epoch FROM now() AT TIME ZONE 'UTC') - extract(epoch FROM max(\"timestamp\"))) / 86400"
            ' FROM emotion_labels WHERE is_validated AND isfinite("timestamp")'
            " AND \"timestamp\" < now() AT TIME ZONE 'UTC' + interval '1 day'"
        )
        (age,) = cursor.fetchone() or (None,)
    return None if age is None else float(age)


def log_exclusions(what: str, written: Written) -> None:
    """Log the number of rows, and why others were left out."""
    reasons = ", ".join(f"{reason} {count}" for reason, count in written.excluded.items() if count)
    logger.info("%s: %d rows, excluded: %s", what, written.rows, reasons or "none")


def window_query(windows: Windows) -> sql.Composed:
    """Return the query for the annotations of the look-back window, in an order that is the same in every run."""
    return _select(ANNOTATIONS_SCHEMA, windows.start, windows.end) + sql.SQL(
        ' AND is_validated ORDER BY "timestamp", id'
    )


def reference_query(windows: Windows) -> sql.Composed:
    """Return the query for a sample of the reference window: the pictures whose names have the smallest digests."""
    validated = _select(ANNOTATIONS_SCHEMA, windows.reference_start, windows.start) + sql.SQL(" AND is_validated")
    return validated + _smallest_digests(REFERENCE_ROWS)


def pictures_query(windows: Windows, size: int) -> sql.Composed:
    """Return the query for a sample of the look-back window's pictures, annotated or not, as in `reference_query`."""
    return _select(PICTURES_SCHEMA, windows.start, windows.end) + _smallest_digests(size)


def _smallest_digests(rows: int) -> sql.Composed:
    return sql.SQL(" ORDER BY md5(img_name), id LIMIT {}").format(sql.Literal(rows))


def _select(schema: pa.Schema, start: datetime, end: datetime) -> sql.Composed:
    return sql.SQL('SELECT {} FROM emotion_labels WHERE "timestamp" >= {} AND "timestamp" < {}').format(
        sql.SQL(", ").join(sql.SQL(PERSON) if name == "person" else sql.Identifier(name) for name in schema.names),
        sql.Literal(start),
        sql.Literal(end),
    )


def _write(source: Copier, query: sql.Composable, path: Path, provenance: Provenance) -> Written:
    excluded = dict[str, int]()
    with table_writer(path, ANNOTATIONS_SCHEMA) as writer:
        for batch in source.batches(query, ANNOTATIONS_SCHEMA):
            usable, counts = usable_labels(matrix(batch, LABELS), nulls(batch, LABELS))
            writer.write(batch.filter(arrow(usable)))
            excluded = add_counts(excluded, counts)
        writer.describe(provenance.model_copy(update={"excluded": excluded}))
    return Written(writer.rows, excluded)


def _write_pictures(source: Copier, query: sql.Composable, path: Path) -> int:
    with table_writer(path, PICTURES_SCHEMA) as writer:
        for batch in source.batches(query, PICTURES_SCHEMA):
            writer.write(batch)
    return writer.rows
