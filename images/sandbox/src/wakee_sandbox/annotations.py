"""Write a population to the database and its pictures to the bucket."""

import csv
import io
import logging
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from typing import TextIO

import psycopg2.errors
from psycopg2.extensions import cursor
from wakee_common.database import transact
from wakee_common.errors import ConfigurationError
from wakee_common.settings import DatabaseSettings
from wakee_common.storage import ObjectStore
from wakee_contract.tables import LABELS, PREDICTED

from wakee_sandbox.crowd import PLACE
from wakee_sandbox.people import Shot
from wakee_sandbox.population import Flaw, Population

logger = logging.getLogger(__name__)

JPEG_QUALITY = 88
TRUNCATED_BYTES = 1500
PICTURES_PER_TASK = 16
CONCURRENT_DELETIONS = 16

COLUMNS = (
    "img_name",
    "s3_path",
    *PREDICTED,
    *LABELS,
    "timestamp",
    "source",
    "is_validated",
    "user_id",
    "session_id",
)


def write_rows(population: Population, database: DatabaseSettings) -> int:
    """Insert or overwrite the rows by picture name, in one transaction. Returns their number.

    Raises:
        ConfigurationError: the table does not exist.
    """
    listed = ", ".join(COLUMNS)
    updates = ", ".join(f"{column} = EXCLUDED.{column}" for column in COLUMNS[1:])

    def work(at: cursor) -> int:
        at.execute(f"CREATE TEMP TABLE seeding ON COMMIT DROP AS SELECT {listed} FROM emotion_labels WHERE false")
        at.copy_expert(f"COPY seeding ({listed}) FROM STDIN (FORMAT csv)", _csv(population), size=1 << 16)
        at.execute(
            f"INSERT INTO emotion_labels ({listed}) SELECT {listed} FROM seeding ORDER BY img_name"
            f" ON CONFLICT (img_name) DO UPDATE SET {updates}"
        )
        return len(population.names)

    with _table_expected():
        return transact(database, work)


def write_pictures(population: Population, store: ObjectStore) -> int:
    """Draw the pictures on all cores, and upload them concurrently. Returns the number of pictures."""
    rows = [row for row in range(len(population.names)) if population.flaws.get(row) is not Flaw.MISSING_OBJECT]
    with ProcessPoolExecutor(_cores()) as pool:
        levels = [tuple(float(level) for level in population.truth[row]) for row in rows]
        shots = [population.visits[row].shot for row in rows]
        pictures = pool.map(picture, levels, shots, chunksize=PICTURES_PER_TASK)
        named = (
            (population.names[row], _damaged(data, population.flaws.get(row)))
            for row, data in zip(rows, pictures, strict=True)
        )
        return store.put_many(_with_progress(named, len(rows)), "image/jpeg")


def picture(levels: tuple[float, ...], identity: int | Shot) -> bytes:
    """Draw a face as a JPEG file."""
    from wakee_sandbox.faces import draw

    file = io.BytesIO()
    draw(levels, identity).save(file, "JPEG", quality=JPEG_QUALITY)
    return file.getvalue()


def reset(database: DatabaseSettings, store: ObjectStore) -> int:
    """Delete every row that a seeder wrote, and its picture. Other rows are kept. Returns the number of deleted rows.

    Raises:
        ConfigurationError: the table does not exist.
    """

    def work(at: cursor) -> list[str]:
        at.execute("SELECT s3_path FROM emotion_labels WHERE session_id LIKE %s", (f"{PLACE}%",))
        return [path for (path,) in at.fetchall()]

    def forget(at: cursor) -> int:
        at.execute("DELETE FROM emotion_labels WHERE session_id LIKE %s", (f"{PLACE}%",))
        return at.rowcount

    with _table_expected():
        # Pictures first: after an interruption, a row without a picture can still be found and deleted.
        with ThreadPoolExecutor(CONCURRENT_DELETIONS) as pool:
            list(pool.map(lambda path: store.delete(store.uri(path)), transact(database, work)))
        return transact(database, forget)


@contextmanager
def _table_expected() -> Iterator[None]:
    try:
        yield
    except psycopg2.errors.UndefinedTable as error:
        raise ConfigurationError("the table emotion_labels does not exist. Run 'wakee-db upgrade' first") from error


def _csv(population: Population) -> TextIO:
    text = io.StringIO()
    writer = csv.writer(text)
    for row, name in enumerate(population.names):
        numbers = (*population.predicted[row], *population.corrected[row])
        time, visit = population.times[row].isoformat(), population.visits[row]
        who = [visit.user, visit.session]
        writer.writerow([name, name, *map(float, numbers), time, "app_sourcing", "true", *who])
    text.seek(0)
    return text


def _damaged(data: bytes, flaw: Flaw | None) -> bytes:
    return data[:TRUNCATED_BYTES] if flaw is Flaw.TRUNCATED_PICTURE else data


def _with_progress(items: Iterator[tuple[str, bytes]], total: int) -> Iterator[tuple[str, bytes]]:
    step = max(total // 10, 1)
    for done, item in enumerate(items, start=1):
        if done % step == 0 or done == total:
            logger.info("pictures: %d of %d drawn", done, total)
        yield item


def _cores() -> int:
    return len(os.sched_getaffinity(0))
