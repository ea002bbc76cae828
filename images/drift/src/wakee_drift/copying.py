"""A query's rows as Arrow batches: PostgreSQL's COPY on one end of a pipe, Arrow's CSV reader on the other."""

import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pyarrow as pa
import pyarrow.csv as pc
from psycopg2 import sql
from psycopg2.extensions import connection as Connection  # noqa: N812 - a type, whatever its case
from wakee_common.database import copy_csv
from wakee_common.errors import BadInputError

BLOCK_BYTES = 1 << 20
"""CSV text that becomes one batch; a few of them are in memory at a time."""


def copied_batches(connection: Connection, query: sql.Composable, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Stream a query's rows; its columns must come in the schema's order.

    Raises:
        BadInputError: a value does not fit the schema.
        psycopg2.Error: what the database says.
    """
    read_end, write_end = os.pipe()
    with ThreadPoolExecutor(1) as pool:
        copying = pool.submit(_copy, connection, query, schema, write_end)
        try:
            # Closing the read end, at the latest on the way out, unblocks a writer that nobody listens to.
            with os.fdopen(read_end, "rb") as source:
                yield from _parsed(source, schema)
        except pa.ArrowInvalid as error:
            _raise_cause(copying)
            raise BadInputError(f"the database holds a value of another kind than expected: {error}") from error
        copying.result()


def _copy(connection: Connection, query: sql.Composable, schema: pa.Schema, write_end: int) -> None:
    with os.fdopen(write_end, "wb") as sink:
        sink.write(",".join(schema.names).encode() + b"\n")
        copy_csv(connection, query, sink)


def _parsed(source: object, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    # Only an empty, unquoted field is NULL: a picture may be called "NaN" or "null".
    convert = pc.ConvertOptions(
        column_types=schema, null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
    )
    parse = pc.ParseOptions(newlines_in_values=True)
    yield from pc.open_csv(source, pc.ReadOptions(block_size=BLOCK_BYTES), parse, convert)


def _raise_cause(copying: Future[None]) -> None:
    """A COPY that broke off may leave half a line, which is not the CSV reader's fault."""
    error = copying.exception()
    if error and not isinstance(error, BrokenPipeError):
        raise error
