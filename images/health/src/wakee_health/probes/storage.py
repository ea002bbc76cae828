"""`test-storage`: check that R2 stores objects, and that it has the pictures of a sample of rows."""

import logging
import os
import random
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from wakee_common.database import reading
from wakee_common.errors import WakeeError, one_line
from wakee_common.settings import DatabaseSettings, load
from wakee_common.storage import ObjectStore
from wakee_common.uris import R2Uri

from wakee_health.errors import WrongAnswerError
from wakee_health.probes.timing import Stopwatch, slowness
from wakee_health.results import Fact, Latency, ProbeResult

logger = logging.getLogger(__name__)

FOLDER = "health/"
PROBE_BYTES = 64 << 10
IMPATIENCE_SECONDS = 5.0
"""Maximum wait for the database, which has a probe of its own."""
ID_RANGE = "SELECT min(id), max(id) FROM emotion_labels"
SAMPLE = (
    "SELECT DISTINCT id, s3_path FROM unnest(%s) AS picked, LATERAL ("
    "SELECT id, s3_path FROM emotion_labels WHERE id >= picked ORDER BY id LIMIT 1) AS next_row ORDER BY id"
)
"""If a random id has no row, the next row is taken, so that a table with gaps can be sampled as well."""
TRIES_PER_PATH = 4
NAMED_ORPHANS = 3


def probe(store: ObjectStore, slow_ms: float, orphan_sample: int, most_orphans: float) -> ProbeResult:
    """Write, read and delete an object, and check that a sample of the pictures exists.

    Raises:
        ConfigurationError: wrong credentials, or the bucket does not exist.
        UnavailableError: R2 cannot be reached.
        WrongAnswerError: R2 returns other content, or a larger share of the pictures than allowed is missing.
    """
    watch = Stopwatch()
    with temporary_object(store) as uri:
        round_trip(store, uri, os.urandom(PROBE_BYTES), watch)
    facts, warnings = _orphans(store, orphan_sample, most_orphans)
    facts = {"bucket": store.bucket, "probe_bytes": PROBE_BYTES, **facts}
    return ProbeResult.of(watch.seconds, facts, slowness("R2", Latency.of(watch.seconds).p95_ms, slow_ms) + warnings)


@contextmanager
def temporary_object(store: ObjectStore) -> Iterator[R2Uri]:
    """Yield an address under `health/`, whose object is deleted on exit."""
    uri = store.root / f"{FOLDER}{uuid.uuid4().hex}.bin"
    try:
        yield uri
    finally:
        try:
            store.delete(uri)
        except WakeeError as error:
            logger.warning("%s may be left behind: %s", uri, error)


def round_trip(store: ObjectStore, uri: R2Uri, content: bytes, watch: Stopwatch) -> None:
    """Put, head, get, list and delete an object.

    Raises:
        WrongAnswerError: one of these operations does not give the expected result.
    """
    with watch.measured():
        store.put_bytes(uri, content)
    with watch.measured():
        size = store.head(uri)["ContentLength"]
    with watch.measured():
        read = store.get_bytes(uri)
    with watch.measured():
        listed = list(store.list_keys(uri.key))
    with watch.measured():
        store.delete(uri)
    if size != len(content) or read != content:
        raise WrongAnswerError(f"R2 returned {len(read)} bytes that differ from the {len(content)} that were written")
    if listed != [uri.key]:
        raise WrongAnswerError(f"R2 does not list the object that was written ({len(listed)} found)")
    if store.exists(uri):
        raise WrongAnswerError("R2 still has an object that was deleted")


def _orphans(store: ObjectStore, sample: int, most: float) -> tuple[dict[str, Fact], list[str]]:
    """Count the rows of a sample without a picture; return a warning if that is not possible."""
    if not sample:
        return {}, []
    try:
        paths = _sample_paths(load(DatabaseSettings), sample)
    except WakeeError as error:
        return {}, [f"the pictures were not checked: {one_line(error, 150)}"]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda path: _is_there(store, path), paths))
    missing = [path for path, there in zip(paths, found, strict=True) if not there]
    share = len(missing) / len(paths) if paths else 0.0
    named = ", ".join(missing[:NAMED_ORPHANS])
    if share > most:
        raise WrongAnswerError(f"{len(missing)} of {len(paths)} sampled pictures are not in the bucket, e.g. {named}")
    facts: dict[str, Fact] = {"sampled_pictures": len(paths), "orphans": len(missing)}
    return facts, [f"{len(missing)} of {len(paths)} sampled pictures are missing: {named}"] if missing else []


def _is_there(store: ObjectStore, path: str) -> bool:
    try:
        return store.exists(R2Uri.parse(f"r2://{store.bucket}/{path}"))
    except WakeeError as error:
        if error.exit_code == 1:
            raise
        return False


def _sample_paths(settings: DatabaseSettings, count: int) -> list[str]:
    """Return the paths of randomly sampled rows, without reading the whole table."""
    patient = settings.model_copy(update={"wake_up_seconds": min(settings.wake_up_seconds, IMPATIENCE_SECONDS)})
    with reading(patient) as connection, connection.cursor() as cursor:
        cursor.execute(ID_RANGE)
        row = cursor.fetchone()
        if row is None or row[0] is None:
            return []
        first, last = int(row[0]), int(row[1])
        picked = random.sample(range(first, last + 1), min(count * TRIES_PER_PATH, last + 1 - first))
        cursor.execute(SAMPLE, (picked,))
        paths = [str(path) for _, path in cursor.fetchall()]
    return random.sample(paths, min(count, len(paths)))
