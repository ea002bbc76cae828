"""`test-api --insert`: insert an annotation through the API, and remove its traces.

A validated row of the check would be used for training. So the traces are removed even if the check fails. Traces that
remain (the pod was killed, or the API stored the row after the timeout) are removed by the next check with `--insert`.
If traces cannot be removed, the check gives a warning.
"""

import logging
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a class, despite its lowercase name
from wakee_common.database import transact
from wakee_common.errors import WakeeError, one_line
from wakee_common.settings import DatabaseSettings, load
from wakee_common.storage import ObjectStore
from wakee_contract.emotions import EMOTIONS

from wakee_health.errors import WrongAnswerError
from wakee_health.probes.api import NAME, open_api
from wakee_health.probes.faces import face_png
from wakee_health.results import Fact
from wakee_health.settings import ApiSettings, ProbeSettings

logger = logging.getLogger(__name__)

PREFIX = "health-check-"
OURS = f"^{PREFIX}[0-9a-f]{{32}}[.]png$"
"""Pattern of names that only this module creates, valid in both Python and PostgreSQL."""
FOUND = "SELECT s3_path FROM emotion_labels WHERE img_name = %s"
REMOVE = "DELETE FROM emotion_labels WHERE img_name ~ %s RETURNING s3_path"


def insert_and_remove(
    api: ApiSettings, settings: ProbeSettings, store: ObjectStore
) -> tuple[dict[str, Fact], list[str]]:
    """Insert a drawn face, check its row and its picture, and remove them. Return facts and warnings.

    Raises:
        UnavailableError: the API, the database or R2 is unavailable.
        WrongAnswerError: the row or the picture is missing although the API reported success.
    """
    database = load(DatabaseSettings)
    left, warnings = remove_traces(database, store)
    if left:
        warnings.insert(0, f"removed {left} annotation{'s' if left > 1 else ''} of an earlier check")
    try:
        seconds = _insert(api, settings, database, store)
    finally:
        warnings += remove_traces(database, store)[1]
    return {"insert_ms": round(seconds * 1000, 1)}, warnings


def remove_traces(database: DatabaseSettings, store: ObjectStore) -> tuple[int, list[str]]:
    """Remove all rows and pictures of this check; return their number, and warnings about those that remain."""
    paths, warnings = set[str](), list[str]()
    with _warned("a row of this check may not have been deleted", warnings):
        paths.update(transact(database, _remove_rows))
    with _warned("a picture of this check may not have been deleted", warnings):
        # Also those without a row: the API stores the picture first.
        paths.update(key for key in store.list_keys(PREFIX) if re.match(OURS, key))
        for path in paths:
            store.delete(store.uri(path))
    return len(paths), warnings


def _insert(api: ApiSettings, settings: ProbeSettings, database: DatabaseSettings, store: ObjectStore) -> float:
    """Insert a row and check it; return the seconds that the API took."""
    name = f"{PREFIX}{uuid.uuid4().hex}.png"
    levels = {f"{kind}_{emotion}": "1.0" for kind in ("predicted", "user") for emotion in EMOTIONS}
    with open_api(api, settings) as site:
        site.ask_json("POST", "/insert", files={"file": (name, face_png(), "image/png")}, data=levels)
        path = transact(database, lambda cursor: _path(cursor, name))
        if path is None:
            raise WrongAnswerError(f"{NAME}: POST /insert answered 200 but stored no row")
        if not store.exists(store.uri(path)):
            raise WrongAnswerError(f"{NAME}: POST /insert answered 200 but stored no picture")
        return site.watch.seconds[-1]


def _path(cursor: Cursor, name: str) -> str | None:
    cursor.execute(FOUND, (name,))
    row = cursor.fetchone()
    return str(row[0]) if row else None


def _remove_rows(cursor: Cursor) -> list[str]:
    cursor.execute(REMOVE, (OURS,))
    return [str(path) for (path,) in cursor.fetchall()]


@contextmanager
def _warned(what: str, warnings: list[str]) -> Iterator[None]:
    try:
        yield
    except WakeeError as error:
        warnings.append(f"{what}: {one_line(error, 150)}")
        # The result of a failed check has no warnings.
        logger.warning("%s", warnings[-1])
