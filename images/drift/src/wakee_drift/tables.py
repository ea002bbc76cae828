"""Parquet files with the origin of their rows in the metadata."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pydantic import ValidationError
from wakee_common.errors import BadInputError
from wakee_contract.tables import LABELS, PREDICTED

from wakee_drift.records import Provenance

PROVENANCE_KEY = b"wakee_drift.provenance"
ROWS_PER_GROUP = 50_000

IMAGE_FIELDS = (
    pa.field("img_name", pa.string()),
    pa.field("s3_path", pa.string()),
    pa.field("timestamp", pa.timestamp("us")),
    pa.field("person", pa.int64()),
)
"""Columns of each annotated picture. `person` is the number of its person (`wakee_contract.tables.PERSON`)."""
ANNOTATIONS_SCHEMA = pa.schema([*IMAGE_FIELDS, *(pa.field(name, pa.float64()) for name in LABELS)])
PICTURES_SCHEMA = pa.schema([pa.field("s3_path", pa.string()), pa.field("person", pa.int64())])
PAIRS_SCHEMA = pa.schema(
    [
        *IMAGE_FIELDS,
        pa.field("by_production", pa.bool_()),
        *(pa.field(name, pa.float64()) for name in (*PREDICTED, *LABELS)),
    ]
)
"""`by_production`: whether the version that is in production now made the prediction."""


class TableWriter:
    """Write a file in row groups of at least `ROWS_PER_GROUP` rows, independent of the size of the batches.

    Args:
        writer: An open Parquet file.
    """

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self._waiting: list[pa.RecordBatch] = []
        self.rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Add rows."""
        self.rows += batch.num_rows
        self._waiting.append(batch)
        if sum(waiting.num_rows for waiting in self._waiting) >= ROWS_PER_GROUP:
            self.flush()

    def flush(self) -> None:
        """Write the rows added so far as a row group."""
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting))
            self._waiting = []

    def describe(self, provenance: Provenance) -> None:
        """Add the provenance to the file's metadata. May be called after the last row."""
        self._writer.add_key_value_metadata({PROVENANCE_KEY: provenance.model_dump_json().encode()})


@contextlib.contextmanager
def table_writer(path: Path, schema: pa.Schema) -> Iterator[TableWriter]:
    """Open a file for writing batch by batch, in bounded memory."""
    # Names and paths are unique, and labels nearly so: dictionaries and statistics of them would only cost memory.
    with pq.ParquetWriter(path, schema, compression="zstd", use_dictionary=False, write_statistics=False) as file:
        writer = TableWriter(file)
        yield writer
        writer.flush()


def read_provenance(path: Path) -> Provenance:
    """Read the provenance of a file.

    Raises:
        BadInputError: it is not a Parquet file of a drift stage.
    """
    try:
        metadata = pq.read_metadata(path).metadata or {}
        return Provenance.model_validate_json(metadata[PROVENANCE_KEY])
    except (pa.ArrowException, KeyError, ValidationError) as error:
        raise BadInputError(f"{path.name} is not a Parquet file of a drift stage: {error}") from error


def row_count(path: Path) -> int:
    """Return the number of rows of a file, from its footer."""
    return int(pq.read_metadata(path).num_rows)


def batches(path: Path, schema: pa.Schema, rows: int = 50_000) -> Iterator[pa.RecordBatch]:
    """Yield a file's rows in batches of at most `rows`.

    Raises:
        BadInputError: a column is missing or has another type, or the file is damaged.
    """
    try:
        with pq.ParquetFile(path) as file:
            if not file.schema_arrow.equals(schema):
                raise BadInputError(f"{path.name} does not have the expected columns: {file.schema_arrow.names}")
            # Not iter_batches: its memory grows with the file.
            for group in range(file.num_row_groups):
                yield from file.read_row_group(group).to_batches(max_chunksize=rows)
    except pa.ArrowException as error:
        raise BadInputError(f"{path.name} is damaged: {error}") from error


def matrix(rows: pa.RecordBatch | pa.Table, columns: Sequence[str]) -> NDArray[np.float64]:
    """Return float columns as a matrix, shape (rows, columns); NULL becomes NaN."""
    return np.column_stack([_values(rows.column(name).fill_null(NAN)) for name in columns])


def integers(rows: pa.RecordBatch, column: str) -> NDArray[np.int64]:
    """Return an integer column without NULL, shape (rows,)."""
    return _values(rows.column(column))


def flags(rows: pa.RecordBatch, column: str) -> NDArray[np.bool_]:
    """Return a boolean column without NULL, shape (rows,)."""
    return _values(rows.column(column).cast(pa.uint8())).astype(bool)


def nulls(rows: pa.RecordBatch, columns: Sequence[str]) -> NDArray[np.bool_]:
    """Return where columns are NULL, shape (rows, columns)."""
    return np.column_stack([_values(rows.column(name).is_null().cast(pa.uint8())).astype(bool) for name in columns])


# `pa.array`, `pa.scalar` and `to_numpy` would import pandas to check for its types, which takes a quarter of a second.
def arrow(values: NDArray[Any]) -> pa.Array:
    """Convert booleans or numbers without NULL to an Arrow array."""
    data = np.packbits(values, bitorder="little") if values.dtype == np.bool_ else np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.from_numpy_dtype(values.dtype), len(values), [None, pa.py_buffer(data)])


def _values(numbers: pa.Array | pa.ChunkedArray) -> NDArray[Any]:
    whole = numbers.combine_chunks() if isinstance(numbers, pa.ChunkedArray) else numbers
    return np.from_dlpack(whole)


NAN = arrow(np.array([np.nan]))[0]


def spread_sample(path: Path, schema: pa.Schema, size: int) -> pa.Table:
    """Return at most `size` rows, evenly spread over the file. The result is deterministic."""
    total = row_count(path)
    wanted = np.unique(np.linspace(0, total - 1, min(size, total)).round().astype(np.int64))
    taken, offset = [], 0
    for batch in batches(path, schema):
        here = wanted[(wanted >= offset) & (wanted < offset + batch.num_rows)] - offset
        taken.append(batch.take(arrow(here)))
        offset += batch.num_rows
    return pa.Table.from_batches(taken, schema)
