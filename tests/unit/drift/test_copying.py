"""Streaming a query's rows, also when either end breaks off."""

import threading

import psycopg2
import pyarrow as pa
import pytest
from psycopg2 import sql
from wakee_common.database import reading
from wakee_common.errors import BadInputError, UnavailableError
from wakee_drift.copying import copied_batches

SCHEMA = pa.schema([("name", pa.string()), ("value", pa.float64())])


def numbers(rows):
    return sql.SQL("SELECT 'row ' || i, i::float8 FROM generate_series(1, {}) i").format(sql.Literal(rows))


@pytest.mark.parametrize("rows", [0, 1, 300_000])
def test_every_row_arrives_in_order(database, rows):
    with reading(database) as connection:
        batches = list(copied_batches(connection, numbers(rows), SCHEMA))

    values = [value for batch in batches for value in batch.column("value").to_pylist()]
    assert values == list(range(1, rows + 1))
    assert all(batch.nbytes < 4 << 20 for batch in batches)


def test_a_connection_that_is_cut_is_not_taken_for_the_end(database):
    def read():
        with reading(database) as connection:
            batches = copied_batches(connection, numbers(3_000_000), SCHEMA)
            next(batches)
            cutter = psycopg2.connect(database.url.get_secret_value())
            with cutter, cutter.cursor() as cursor:
                cursor.execute("SELECT pg_terminate_backend(%s)", (connection.get_backend_pid(),))
            cutter.close()
            return sum(batch.num_rows for batch in batches)

    with pytest.raises(UnavailableError, match="dropped us"):
        read()


def test_a_reader_that_leaves_early_leaves_no_thread(database):
    before = threading.active_count()

    with reading(database) as connection:
        batches = copied_batches(connection, numbers(3_000_000), SCHEMA)
        next(batches)
        batches.close()

    assert threading.active_count() == before


def test_a_value_of_another_kind_is_bad_input(database):
    def read():
        with reading(database) as connection:
            return list(copied_batches(connection, sql.SQL("SELECT 'a', 'no number'"), SCHEMA))

    with pytest.raises(BadInputError, match="another kind"):
        read()


def test_an_error_of_the_query_is_not_taken_for_the_readers(database):
    def read():
        with reading(database) as connection:
            return list(
                copied_batches(connection, sql.SQL("SELECT 'a', 1 / (i - 5) FROM generate_series(1, 9) i"), SCHEMA)
            )

    with pytest.raises(BadInputError, match="division by zero"):
        read()
