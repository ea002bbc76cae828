"""`test-api --insert`: an annotation through the API, and all its traces removed."""

import logging
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from psycopg2.extensions import cursor as Cursor  # noqa: N812 - a type, whatever its case
from wakee_common.database import transact
from wakee_common.emotions import EMOTIONS
from wakee_common.errors import WakeeError
from wakee_common.settings import DatabaseSettings, load
from wakee_common.storage import ObjectStore

from wakee_health.api import NAME, open_api
from wakee_health.errors import WrongAnswerError
from wakee_health.faces import face_png
from wakee_health.results import Fact
from wakee_health.settings import ApiSettings, ProbeSettings

logger = logging.getLogger(__name__)

FOUND = "SELECT s3_path FROM emotion_labels WHERE img_name = %s"
REMOVE = "DELETE FROM emotion_labels WHERE img_name = %s"


def insert_and_remove(api: ApiSettings, settings: ProbeSettings, store: ObjectStore) -> dict[str, Fact]:
    """Insert a drawn face; its row and its picture must be there, and are removed, whatever happens.

    Raises:
        UnavailableError: the API, the database or R2 does not answer.
        WrongAnswerError: the row or the picture is not there after the API said that it stored them.
    """
    database, name = load(DatabaseSettings), f"health-check-{uuid.uuid4().hex}.png"
    with _removed_afterwards(database, store, name), open_api(api, settings) as site:
        levels = {f"{kind}_{emotion}": "1.0" for kind in ("predicted", "user") for emotion in EMOTIONS}
        site.ask_json("POST", "/insert", files={"file": (name, face_png(), "image/png")}, data=levels)
        path = transact(database, lambda cursor: _path(cursor, name))
        if path is None:
            raise WrongAnswerError(f"{NAME}: POST /insert answers 200 and stores no row")
        if not store.exists(store.uri(path)):
            raise WrongAnswerError(f"{NAME}: POST /insert answers 200 and stores no picture")
    return {"insert_ms": round(site.watch.seconds[-1] * 1000, 1)}


def _path(cursor: Cursor, name: str) -> str | None:
    cursor.execute(FOUND, (name,))
    row = cursor.fetchone()
    return str(row[0]) if row else None


@contextmanager
def _removed_afterwards(database: DatabaseSettings, store: ObjectStore, name: str) -> Iterator[None]:
    try:
        yield
    finally:
        try:
            transact(database, lambda cursor: cursor.execute(REMOVE, (name,)))
            store.delete(store.uri(name))
        except WakeeError as error:
            logger.warning("%s may be left behind: %s", name, error)
