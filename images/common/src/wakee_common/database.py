"""PostgreSQL that may be asleep, or drop a connection, at any time."""

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - a type, whatever its case
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extensions import make_dsn
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt, stop_after_delay
from tenacity.wait import wait_random_exponential

from wakee_common.errors import ConfigurationError, UnavailableError, one_line
from wakee_common.refusals import DATABASE, refusal
from wakee_common.settings import DatabaseSettings
from wakee_common.startup import refused_at_startup

logger = logging.getLogger(__name__)

T = TypeVar("T")

LONGEST_CAUSE = 2000
SYSTEM_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
"""Of Debian and its relatives, as in our images."""
NOW_IN_UTC = sql.SQL("now() AT TIME ZONE 'utc'")

PARAMETERS: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "application_name": "wakee",
}
"""libpq's, of every connection."""

TRANSIENT = (psycopg2.OperationalError, psycopg2.InterfaceError)
TRANSACTION_TRIES = 4


class _TransientError(Exception):
    """Wraps a transient driver error while it may still be retried."""


def connect(settings: DatabaseSettings) -> Connection:
    """Open a connection, waiting for a sleeping database up to `settings.wake_up_seconds`.

    A refused connection is retried for longer where the first seconds of the process last longer (see `startup`).

    Raises:
        ConfigurationError: wrong user, password or database: waiting would not help.
        UnavailableError: no connection within the time.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(_TransientError),
        wait=wait_random_exponential(multiplier=0.3, max=5),
        stop=_stop_after(settings.wake_up_seconds),
        before_sleep=_log_retry,
        reraise=True,
    )
    try:
        return retrying(_connect_once, settings)
    except _TransientError as error:
        raise UnavailableError(f"no database connection after {settings.wake_up_seconds:g} s: {error}") from error


def _connect_once(settings: DatabaseSettings) -> Connection:
    use_system_certificates()
    try:
        connection: Connection = psycopg2.connect(settings.url.get_secret_value(), **PARAMETERS)
        return connection
    except psycopg2.OperationalError as error:
        cause = one_line(error, LONGEST_CAUSE)
        meaning = refusal(DATABASE, "", cause)
        raise (_TransientError(cause) if isinstance(meaning, UnavailableError) else meaning) from error
    except psycopg2.ProgrammingError:
        # libpq could not read the address; its message repeats it, and with it the password.
        raise ConfigurationError("libpq cannot read the database's address: check NEON_DATABASE_URL") from None


@contextlib.contextmanager
def reading(settings: DatabaseSettings) -> Iterator[Connection]:
    """A connection in one read-only, repeatable-read transaction: all its queries see the same rows.

    Raises:
        ConfigurationError: a table, a column or a permission is missing.
        UnavailableError: the connection dropped, or the database refuses a query for another reason.
    """
    connection = connect(settings)
    try:
        with _translated():
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            with connection.cursor() as cursor:
                cursor.execute("; ".join(first_statements(settings)))
            yield connection
    except TRANSIENT as error:
        raise UnavailableError(f"the database dropped us: {one_line(error, LONGEST_CAUSE)}") from error
    finally:
        connection.close()


def transact(settings: DatabaseSettings, work: Callable[[Cursor], T]) -> T:
    """Run `work` in one transaction and commit; run it again, whole, when the connection drops.

    A drop during commit leaves open whether it took effect, so `work` must be idempotent (upserts).

    Raises:
        BadInputError: the database cannot hold a value: a number out of range, a NUL in a text.
        ConfigurationError: a table, a column or a permission is missing.
        UnavailableError: the connection kept dropping, or the database refuses the work, e.g. while it is read-only.
        ForeignKeyViolation: the row that another one names does not exist; only the caller knows what that means.
    """
    retrying = Retrying(
        retry=retry_if_exception_type(_TransientError),
        wait=wait_random_exponential(multiplier=0.5, max=5),
        stop=stop_after_attempt(TRANSACTION_TRIES),
        before_sleep=_log_retry,
        reraise=True,
    )
    try:
        done: T = retrying(_transact_once, settings, work)
        return done
    except _TransientError as error:
        raise UnavailableError(f"the database dropped {TRANSACTION_TRIES} transactions: {error}") from error


def _transact_once(settings: DatabaseSettings, work: Callable[[Cursor], T]) -> T:
    connection = connect(settings)
    try:
        with _translated(), connection, connection.cursor() as cursor:
            cursor.execute("; ".join(first_statements(settings)))
            return work(cursor)
    except TRANSIENT as error:
        raise _TransientError(one_line(error, LONGEST_CAUSE)) from error
    finally:
        with contextlib.suppress(*TRANSIENT):
            connection.close()


def first_statements(settings: DatabaseSettings) -> tuple[str, ...]:
    """A transaction's first statements; local to it, for a pooler gives the next one to another session.

    The lock timeout makes a transaction fail, and be retried, instead of waiting for a lock that nobody releases.
    The time zone makes comparisons with columns of type `timestamptz` independent of the server's and the role's zone.
    """
    return f"SET LOCAL lock_timeout = '{settings.lock_seconds * 1000:.0f}ms'", "SET LOCAL TIME ZONE 'UTC'"


def use_system_certificates() -> None:
    """Let `sslrootcert=system` mean the system's store to drivers that bring an OpenSSL of their own.

    Theirs looks where the machine that built them had its certificates, unless this variable says otherwise.
    """
    if SYSTEM_CERTIFICATES.exists():
        os.environ.setdefault("SSL_CERT_FILE", str(SYSTEM_CERTIFICATES))


def connection_string(settings: DatabaseSettings) -> str:
    """How another driver connects as `connect` does, by libpq: the password is in it."""
    use_system_certificates()
    return str(make_dsn(settings.url.get_secret_value(), client_encoding="UTF8", **PARAMETERS))


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Turn the driver's errors into ours, but for those that the caller knows better what to do about."""
    try:
        yield
    except (*TRANSIENT, errors.ForeignKeyViolation):
        raise
    except psycopg2.Error as error:
        raise refusal(DATABASE, error.pgcode or "", one_line(error, LONGEST_CAUSE)) from error


def upsert(
    cursor: Cursor, table: str, keys: Sequence[str], row: Mapping[str, Any], unchanged: Sequence[str] = ()
) -> int:
    """Insert a row, or replace the one of the same keys, which keeps its id and its `created_at`.

    Args:
        cursor: Within a transaction.
        table: Has the columns `id`, `created_at` and `updated_at`, and a unique constraint on `keys`.
        keys: Columns that tell rows apart.
        row: Columns and their values.
        unchanged: Columns that a row that is there already keeps.

    Returns:
        The row's id.
    """
    changing = [name for name in row if name not in (*keys, *unchanged)]
    statement = sql.SQL(
        "INSERT INTO {table} ({columns}, created_at, updated_at) VALUES ({values}, {now}, {now})"
        " ON CONFLICT ({keys}) DO UPDATE SET {changes}, updated_at = EXCLUDED.updated_at RETURNING id"
    ).format(
        table=sql.Identifier(table),
        columns=_listed(sql.Identifier, row),
        values=_listed(sql.Placeholder, row),
        keys=_listed(sql.Identifier, keys),
        changes=sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(sql.Identifier(name)) for name in changing),
        now=NOW_IN_UTC,
    )
    cursor.execute(statement, row)
    found = cursor.fetchone()
    if found is None:
        raise AssertionError("an upsert returns its row")
    return int(found[0])


def _listed(kind: Callable[[str], sql.Composable], names: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(kind, names))


def _stop_after(seconds: float) -> Callable[[RetryCallState], bool]:
    """Stop after so many seconds, but not for a refused connection while the process is young."""
    waited = stop_after_delay(seconds)
    return lambda state: waited(state) and not refused_at_startup(state.outcome.exception() if state.outcome else None)


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    pause = state.next_action.sleep if state.next_action else 0
    logger.warning("database: %s; trying again in %.1f s", error, pause)
