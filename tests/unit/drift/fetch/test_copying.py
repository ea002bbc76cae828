"""Streaming a query's rows, also when either end breaks off."""

import contextlib
import datetime
import math
import signal
import subprocess
import sys

import adbc_driver_manager as adbc
import psycopg2
import pyarrow as pa
import pytest
from psycopg2 import sql
from pydantic import SecretStr
from wakee_common.database import connect, reading
from wakee_common.errors import BadInputError, ConfigurationError, InterruptedStageError, UnavailableError
from wakee_drift.fetch.copying import copier

from support.waiting import wait_for

SCHEMA = pa.schema([("name", pa.string()), ("value", pa.float64())])


def numbers(rows):
    return sql.SQL("SELECT 'row ' || i, i::float8 FROM generate_series(1, {}) i").format(sql.Literal(rows))


@contextlib.contextmanager
def source_of(database):
    with reading(database) as connection, copier(database, connection) as source:
        yield source


def terminate(database, pid):
    with contextlib.closing(psycopg2.connect(database.url.get_secret_value())) as cutter, cutter.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))


def backends(database):
    """Of everybody but the one who asks."""
    query = "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()"
    with contextlib.closing(psycopg2.connect(database.url.get_secret_value())) as asking, asking.cursor() as cursor:
        cursor.execute(query)
        return {pid for (pid,) in cursor.fetchall()}


@pytest.mark.parametrize("rows", [0, 1, 300_000])
def test_every_row_arrives_in_order(database, rows):
    with source_of(database) as source:
        batches = list(source.batches(numbers(rows), SCHEMA))

    values = [value for batch in batches for value in batch.column("value").to_pylist()]
    assert values == list(range(1, rows + 1))
    assert all(batch.nbytes < 4 << 20 for batch in batches)


def test_values_arrive_as_they_are_whatever_the_servers_defaults(database):
    smile = "U&'smile \\+01F600, \"quoted\"'"
    query = f"SELECT {smile}, NULL::text, '', '2026-03-04 05:06:07.5'::timestamp, 0.1::float8 + 0.2, 'NaN'::float8, 3"
    types = [pa.string()] * 3 + [pa.timestamp("us")] + [pa.float64()] * 3
    schema = pa.schema([(str(position), kind) for position, kind in enumerate(types)])
    defaults = "options=-cdatestyle%3DGerman%20-cextra_float_digits%3D-5&client_encoding=LATIN1"
    strange = database.model_copy(update={"url": SecretStr(f"{database.url.get_secret_value()}?{defaults}")})

    with source_of(strange) as source:
        (batch,) = source.batches(sql.SQL(query), schema)

    *values, nan, three = (column[0].as_py() for column in batch.columns)
    moment = datetime.datetime(2026, 3, 4, 5, 6, 7, 500_000)
    assert values == ['smile 😀, "quoted"', None, "", moment, 0.30000000000000004]
    assert (math.isnan(nan), three) == (True, 3.0)


def test_it_sees_what_its_transaction_sees(database):
    with contextlib.closing(connect(database)) as other, other.cursor() as cursor, source_of(database) as source:
        cursor.execute("INSERT INTO model_versions (version_name) VALUES ('later')")
        other.commit()
        assert list(source.batches(sql.SQL("SELECT version_name, 1 FROM model_versions"), SCHEMA)) == []


def test_a_database_that_refuses_a_new_pod(database, refused_at_first):
    with reading(database) as connection:
        late = database.model_copy(update={"url": SecretStr(refused_at_first(database.url.get_secret_value()))})
        with copier(late, connection) as source:
            assert [batch.num_rows for batch in source.batches(numbers(3), SCHEMA)] == [3]


def test_it_cannot_write(database):
    with pytest.raises(UnavailableError, match="read-only"), source_of(database) as source:
        source.execute("INSERT INTO model_versions (version_name) VALUES ('never')")


def test_a_connection_that_is_cut_is_not_taken_for_the_end(database):
    def read():
        with reading(database) as connection, copier(database, connection) as source:
            batches = source.batches(numbers(3_000_000), SCHEMA)
            next(batches)
            (ours,) = backends(database) - {connection.get_backend_pid()}
            terminate(database, ours)
            return sum(batch.num_rows for batch in batches)

    with pytest.raises(UnavailableError, match=r"closed the connection .*: \[libpq\]"):
        read()


def test_a_reader_that_leaves_early_leaves_no_connection(database):
    with source_of(database) as source:
        batches = source.batches(numbers(3_000_000), SCHEMA)
        next(batches)
        batches.close()

    wait_for(lambda: not backends(database), 10, "the connections' end")


@pytest.mark.parametrize(
    "query", ["SELECT 'a', 1 FROM pg_sleep(3600)", "SELECT 'a', i FROM generate_series(1, 1e12) i"]
)
def test_a_stage_that_must_end_waits_neither_for_a_sort_nor_for_the_last_row(database, query):
    def told_to_stop(*_):
        raise InterruptedStageError("SIGTERM")

    def read():
        with source_of(database) as source:
            signal.setitimer(signal.ITIMER_REAL, 0.5)
            return [batch.num_rows for batch in source.batches(sql.SQL(query), SCHEMA)]

    before = signal.signal(signal.SIGALRM, told_to_stop)
    try:
        with pytest.raises(InterruptedStageError):
            read()
    finally:
        signal.signal(signal.SIGALRM, before)

    wait_for(lambda: not backends(database), 10, "the end of the query")


def test_a_lock_that_is_never_given_back_is_not_waited_for(database):
    impatient = database.model_copy(update={"lock_seconds": 0.2})
    with contextlib.closing(connect(database)) as holder:
        holder.cursor().execute("LOCK TABLE model_versions IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(UnavailableError, match="lock timeout"), source_of(impatient) as source:
            list(source.batches(sql.SQL("SELECT version_name, 1 FROM model_versions"), SCHEMA))


def test_a_transaction_that_ends_before_it_is_joined_is_taken_again(database, monkeypatch):
    def read():
        with reading(database) as connection:

            def join_late(*arguments):
                connection.rollback()
                return AdbcConnection(*arguments)

            monkeypatch.setattr("wakee_drift.fetch.copying.adbc.AdbcConnection", join_late)
            with copier(database, connection):
                pytest.fail("joined what has ended")

    AdbcConnection = adbc.AdbcConnection  # noqa: N806 - as the library calls it
    with pytest.raises(UnavailableError, match=r"has ended: .*snapshot.*A retry reads everything again"):
        read()


def test_a_database_that_goes_between_the_two_connections_may_come_back(database):
    gone = database.model_copy(update={"url": SecretStr("postgresql://postgres@127.0.0.1:9/nobody")})

    def read():
        with reading(database) as connection, copier(gone, connection):
            pytest.fail("connected to nobody")

    with pytest.raises(UnavailableError, match=r"closed the connection.*refused"):
        read()


@pytest.mark.parametrize("value", ["'no number'", "ARRAY[1]"])
def test_a_value_of_another_kind_is_bad_input(database, value):
    with pytest.raises(BadInputError, match="unexpected type"), source_of(database) as source:
        list(source.batches(sql.SQL(f"SELECT 'a', {value}"), SCHEMA))


def test_an_error_among_the_rows_is_told_as_the_database_says_it(database):
    query = sql.SQL("SELECT 'a', 1 / (i - 5) FROM generate_series(1, 9) i")

    with pytest.raises(UnavailableError, match="division by zero"), source_of(database) as source:
        list(source.batches(query, SCHEMA))


def test_a_missing_column_is_a_matter_of_configuration(database):
    with pytest.raises(ConfigurationError, match="schema does not match this image"), source_of(database) as source:
        list(source.batches(sql.SQL("SELECT version_name, nothing FROM model_versions"), SCHEMA))


def test_pandas_is_not_needed():
    """It would take a quarter of a second and 30 MiB."""
    code = "import sys, wakee_drift.fetch.copying; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
