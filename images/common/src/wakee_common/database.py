"""Connections and transactions for a PostgreSQL server that may be suspended, or drop connections, at any time."""

import contextlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import psycopg2
from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, despite its lowercase name
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
"""Certificate store of Debian-based systems, including our images."""
NOW_IN_UTC = sql.SQL("now() AT TIME ZONE 'utc'")

PARAMETERS: dict[str, Any] = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "application_name": "wakee",
}
"""Parameters of libpq for every connection."""

TRANSIENT = (psycopg2.OperationalError, psycopg2.InterfaceError)
TRANSACTION_TRIES = 4


class _TransientError(Exception):
    """Wraps a transient driver error while it may still be retried."""


def connect(settings: DatabaseSettings) -> Connection:
    """Open a connection, with retries for up to `settings.wake_up_seconds` while the database wakes up.

    A refused connection is retried for longer if the startup period of the process is longer (see `startup`).

    Raises:
        ConfigurationError: the user, password or database is wrong; a retry would not help.
        UnavailableError: no connection within that time.
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
        raise UnavailableError(
            f"cannot connect to the database within {settings.wake_up_seconds:g} s: {error}"
        ) from error


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
        # libpq could not parse the address. Its message contains the address, and so the password.
        raise ConfigurationError("libpq cannot parse the database's address. Check NEON_DATABASE_URL") from None


@contextlib.contextmanager
def reading(settings: DatabaseSettings) -> Iterator[Connection]:
    """Yield a connection in a read-only, repeatable-read transaction, in which all queries see the same rows.

    Raises:
        ConfigurationError: a table, a column or a permission is missing.
        UnavailableError: the connection dropped, or a query failed for another reason.
    """
    connection = connect(settings)
    try:
        with _translated():
            connection.set_session(isolation_level="REPEATABLE READ", readonly=True)
            with connection.cursor() as cursor:
                cursor.execute("; ".join(first_statements(settings)))
            yield connection
    except TRANSIENT as error:
        raise UnavailableError(
            f"the database closed the connection or canceled a query: {one_line(error, LONGEST_CAUSE)}"
        ) from error
    finally:
        connection.close()


def transact(settings: DatabaseSettings, work: Callable[[Cursor], T]) -> T:
    """Run `work` in one transaction and commit it. Retry the whole transaction if the connection drops.

    If the connection drops during the commit, it is unknown whether the commit took effect. So `work` must be
    idempotent (upserts).

    Raises:
        BadInputError: the database cannot store a value, e.g. a number out of range or a NUL character in a text.
        ConfigurationError: a table, a column or a permission is missing.
        UnavailableError: the connection dropped in every attempt, or the database rejects the work, e.g. because it is
            read-only.
        ForeignKeyViolation: a referenced row does not exist. Only the caller knows what that means.
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
        raise UnavailableError(f"the database transaction failed in {TRANSACTION_TRIES} attempts: {error}") from error


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
    """Return the first statements of a transaction. They are local to it, because a pooler shares sessions.

    The lock timeout makes a transaction fail and be retried instead of waiting for a lock that is never released.
    The time zone makes comparisons with `timestamptz` columns independent of the server's and the role's time zone.
    """
    return f"SET LOCAL lock_timeout = '{settings.lock_seconds * 1000:.0f}ms'", "SET LOCAL TIME ZONE 'UTC'"


def use_system_certificates() -> None:
    """Make `sslrootcert=system` use the system's certificate store in drivers that bundle their own OpenSSL.

    A bundled OpenSSL looks in the path of the machine that built it, unless `SSL_CERT_FILE` is set.
    """
    if SYSTEM_CERTIFICATES.exists():
        os.environ.setdefault("SSL_CERT_FILE", str(SYSTEM_CERTIFICATES))


def connection_string(settings: DatabaseSettings) -> str:
    """Return the libpq connection string of `connect`, for other drivers. It contains the password."""
    use_system_certificates()
    return str(make_dsn(settings.url.get_secret_value(), client_encoding="UTF8", **PARAMETERS))


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    """Convert the driver's errors into ours, except transient errors and foreign key violations."""
    try:
        yield
    except (*TRANSIENT, errors.ForeignKeyViolation):
        raise
    except psycopg2.Error as error:
        raise refusal(DATABASE, error.pgcode or "", one_line(error, LONGEST_CAUSE)) from error


def upsert(
    cursor: Cursor, table: str, keys: Sequence[str], row: Mapping[str, Any], unchanged: Sequence[str] = ()
) -> int:
    """Insert a row, or update the row with the same keys, which keeps its id and `created_at`.

    Args:
        cursor: A cursor within a transaction.
        table: A table with the columns `id`, `created_at` and `updated_at`, and a unique constraint on `keys`.
        keys: Columns that identify a row.
        row: Columns and their values.
        unchanged: Columns that are not updated in an existing row.

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
    """Stop after this many seconds, except for a refused connection during startup (see `startup`)."""
    waited = stop_after_delay(seconds)
    return lambda state: waited(state) and not refused_at_startup(state.outcome.exception() if state.outcome else None)


def _log_retry(state: RetryCallState) -> None:
    error = state.outcome.exception() if state.outcome else None
    pause = state.next_action.sleep if state.next_action else 0
    logger.warning("database: %s. Retrying in %.1f s", error, pause)
