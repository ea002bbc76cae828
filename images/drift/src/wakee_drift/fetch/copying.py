"""Read the rows of a query as Arrow batches, with PostgreSQL's binary COPY, decoded by the ADBC driver.

Reading a million annotations takes half as long as reading them as text (docs/benchmarks.md).
"""

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import adbc_driver_manager as adbc
import adbc_driver_postgresql
import psycopg2
import pyarrow as pa
from adbc_driver_postgresql import StatementOptions
from psycopg2 import errors, sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class, despite its lowercase name
from wakee_common.database import connection_string, first_statements
from wakee_common.errors import BadInputError
from wakee_common.settings import DatabaseSettings
from wakee_common.startup import retry_refused

BATCH_BYTES = 1 << 20
"""Approximate size of a batch, in bytes. A few batches are in memory at a time."""


@dataclass(frozen=True)
class Copier:
    """Stream rows through a separate connection that sees the same data as a psycopg2 transaction."""

    _transaction: Connection
    _connection: adbc.AdbcConnection

    def batches(self, query: sql.Composable, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        """Yield a query's rows. Its columns must be in the schema's order.

        Raises:
            BadInputError: a column cannot be converted to the schema's type.
            psycopg2.Error: the query failed.
        """
        with adbc.AdbcStatement(self._connection) as statement:
            statement.set_options(**{StatementOptions.BATCH_SIZE_HINT_BYTES.value: BATCH_BYTES})
            statement.set_sql_query(query.as_string(self._transaction))
            with _psycopg2_errors():
                stream = _executed(statement)
            with pa.RecordBatchReader.from_stream(stream) as reader:
                while (batch := _next(reader)) is not None:
                    yield _cast(batch, schema)

    def execute(self, statement_text: str) -> None:
        """Run a statement that returns no rows."""
        with adbc.AdbcStatement(self._connection) as statement, _psycopg2_errors():
            statement.set_sql_query(statement_text)
            statement.execute_update()


@contextlib.contextmanager
def copier(settings: DatabaseSettings, transaction: Connection) -> Iterator[Copier]:
    """Open a second connection that sees the same data as an open transaction, as long as that is open.

    Raises:
        psycopg2.Error: the connection or a statement failed.
    """
    with transaction.cursor() as cursor:
        cursor.execute("SELECT pg_export_snapshot()")
        (snapshot,) = cursor.fetchone() or (None,)
    with contextlib.ExitStack() as stack:
        with _psycopg2_errors():
            # Both calls connect: the first one reads the database's types.
            database = stack.enter_context(retry_refused(adbc_driver_postgresql.connect, connection_string(settings)))
            connection = stack.enter_context(retry_refused(adbc.AdbcConnection, database))
            connection.set_autocommit(False)
        copying = Copier(transaction, connection)
        copying.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        copying.execute(f"SET TRANSACTION SNAPSHOT '{snapshot}'")
        for statement in first_statements(settings):
            copying.execute(statement)
        yield copying


def _executed(statement: adbc.AdbcStatement) -> adbc.ArrowArrayStreamHandle:
    """Execute a query in a thread, so that SIGTERM can interrupt it before the database has sorted the rows."""
    with ThreadPoolExecutor(1) as pool:
        executing = pool.submit(statement.execute_query)
        try:
            rows: adbc.ArrowArrayStreamHandle = executing.result()[0]
            return rows
        finally:
            if not executing.done():
                statement.cancel()


def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
    try:
        return next(reader, None)
    except OSError as error:  # pyarrow raises the driver's errors as OSError while rows are read
        raise psycopg2.OperationalError(str(error)) from error


def _cast(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    try:
        return batch.rename_columns(schema.names).cast(schema)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:  # a value, or a whole type, that cannot be cast
        raise BadInputError(f"a value in the database has an unexpected type: {error}") from error


@contextlib.contextmanager
def _psycopg2_errors() -> Iterator[None]:
    """Convert the driver's errors into psycopg2's, which the callers already handle."""
    try:
        yield
    except adbc.Error as error:
        try:
            kind = errors.lookup(error.sqlstate or "")
        except KeyError:
            kind = psycopg2.OperationalError
        raised = kind(str(error))
        raised.__setstate__({"pgcode": error.sqlstate})  # type: ignore[no-untyped-call] # the constructor takes none
        raise raised from error
