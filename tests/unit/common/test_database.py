"""The database as it really behaves: asleep, refusing, cutting connections."""

import contextlib
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest
from wakee_common.database import connect, reading, transact
from wakee_common.errors import ConfigurationError, UnavailableError
from wakee_common.settings import DatabaseSettings

from support.waiting import wait_for

INSERT = """INSERT INTO drift_reports (report_date, drift_detected, drift_score, num_samples)
            VALUES ('2026-03-31', true, 1, 1)"""


def terminate(settings, pid):
    """Cut another connection, as a serverless database does."""
    connection = psycopg2.connect(settings.url.get_secret_value())
    with connection, connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(%s)", (pid,))
    connection.close()


def rows(settings, query):
    with reading(settings) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetchall()


@pytest.mark.parametrize("change", ["password", "database"])
def test_wrong_settings_fail_at_once(postgres_server, change):
    url = postgres_server.url(password="guessed") if change == "password" else postgres_server.url("no_such_database")
    started = time.monotonic()

    with pytest.raises(ConfigurationError, match="NEON_DATABASE_URL") as error:
        connect(DatabaseSettings(url=url, wake_up_seconds=30))

    assert time.monotonic() - started < 5
    assert "guessed" not in str(error.value)


@pytest.mark.parametrize(
    "options",
    [
        "sslmode=require",
        "sslmode=verify-full&sslrootcert=/no/such/file",
        "sslmode=sometimes",
        "options=-c%20nonsense%3D1",
        "options=-c%20statement_timeout%3Dlong",
        "options=--nonsense",
    ],
)
def test_options_that_no_waiting_mends_fail_at_once(postgres_server, options):
    started = time.monotonic()

    with pytest.raises(ConfigurationError, match="NEON_DATABASE_URL") as error:
        connect(DatabaseSettings(url=f"{postgres_server.url()}?{options}", wake_up_seconds=30))

    assert time.monotonic() - started < 5
    assert postgres_server.password not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("postgresql+psycopg2://user:very-secret@127.0.0.1/x", id="an-sqlalchemy-address"),
        pytest.param("postgresql://user:very-secret@127.0.0.1/x?nonsense=1", id="an-unknown-option"),
    ],
)
def test_an_address_that_libpq_cannot_read(url):
    with pytest.raises(ConfigurationError, match="NEON_DATABASE_URL") as error:
        connect(DatabaseSettings(url=url, wake_up_seconds=30))

    assert "very-secret" not in str(error.value)


def test_a_database_that_never_wakes_up():
    settings = DatabaseSettings(url="postgresql://user:secret@127.0.0.1:9/x", wake_up_seconds=0.5)

    with pytest.raises(UnavailableError, match=r"cannot connect to the database within 0\.5 s"):
        connect(settings)


def test_a_database_that_refuses_a_new_pod(database, refused_at_first):
    late = DatabaseSettings(url=refused_at_first(database.url.get_secret_value()), wake_up_seconds=0.1)

    assert rows(late, "SELECT 1") == [(1,)]


def test_a_new_pod_waits_no_longer_for_a_database_that_is_unreachable(first_seconds):
    nowhere = DatabaseSettings(url="postgresql://user:secret@255.255.255.255/x", wake_up_seconds=0.1)
    start = time.monotonic()

    with pytest.raises(UnavailableError, match=r"cannot connect to the database within 0\.1 s: .*unreachable"):
        connect(nowhere)

    assert time.monotonic() - start < 10


def test_a_database_that_wakes_up_late(make_postgres_server, caplog):
    server = make_postgres_server()
    with ThreadPoolExecutor(1) as pool:
        connecting = pool.submit(connect, server.settings(wake_up_seconds=30))
        wait_for(lambda: "Retrying in" in caplog.text, 60, "a first failed attempt", every=0.05)
        server.start()
        connection = connecting.result(30)

    assert connection.closed == 0
    connection.close()


def test_a_transaction_cut_in_the_middle_takes_effect_once(database):
    tries = []

    def work(cursor):
        cursor.execute(INSERT)
        tries.append(cursor.connection.get_backend_pid())
        if len(tries) == 1:
            terminate(database, tries[0])
        cursor.execute("SELECT count(*) FROM drift_reports")
        return cursor.fetchone()[0]

    assert transact(database, work) == 1
    assert len(tries) == 2
    assert rows(database, "SELECT count(*) FROM drift_reports") == [(1,)]


def test_a_transaction_that_is_always_cut_gives_up(database):
    def work(cursor):
        terminate(database, cursor.connection.get_backend_pid())
        cursor.execute("SELECT 1")

    with pytest.raises(UnavailableError, match="transaction failed in 4 attempts"):
        transact(database, work)


def test_a_failing_transaction_leaves_nothing(database):
    def work(cursor):
        cursor.execute(INSERT)
        raise LookupError("our own mistake")

    with pytest.raises(LookupError):
        transact(database, work)

    assert rows(database, "SELECT count(*) FROM drift_reports") == [(0,)]


def test_a_reader_that_is_cut(database):
    def read():
        with reading(database) as connection, connection.cursor() as cursor:
            terminate(database, connection.get_backend_pid())
            cursor.execute("SELECT 1")

    with pytest.raises(UnavailableError, match="closed the connection"):
        read()


def test_a_reader_sees_one_state_and_cannot_write(database):
    with reading(database) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM drift_reports")
        transact(database, lambda other: other.execute(INSERT))
        cursor.execute("SELECT count(*) FROM drift_reports")
        assert cursor.fetchone() == (0,)
        with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
            cursor.execute(INSERT)


def test_a_schema_that_was_never_migrated_says_what_to_run(empty_database):
    with pytest.raises(ConfigurationError, match="wakee-db upgrade"):
        rows(empty_database, "SELECT 1 FROM drift_reports")
    with pytest.raises(ConfigurationError, match="wakee-db upgrade"):
        transact(empty_database, lambda cursor: cursor.execute(INSERT))


READ_ONLY = "SET TRANSACTION READ ONLY"
"""A database that is up but takes no rows, e.g. NeonDB over its quota."""
REJECTED = "the database rejected the request"


@pytest.mark.parametrize(
    ("before", "error", "says"),
    [
        pytest.param(READ_ONLY, UnavailableError, f"{REJECTED}: cannot execute INSERT in a read-only", id="read-only"),
        pytest.param(
            "SET LOCAL ROLE pg_monitor", ConfigurationError, "permission denied by the database", id="no-rights"
        ),
        pytest.param(INSERT, UnavailableError, f"{REJECTED}: duplicate key value", id="twice"),
    ],
)
def test_a_refused_write_is_one_of_our_errors(database, before, error, says):
    with pytest.raises(error, match=f"^{says}") as raised:
        transact(database, lambda cursor: cursor.execute(f"{before}; {INSERT}"))

    assert len(str(raised.value).splitlines()) == 1


def test_a_refused_read_is_one_of_our_errors(database):
    with pytest.raises(ConfigurationError, match="permission denied for table drift_reports"):
        rows(database, "SET LOCAL ROLE pg_monitor; SELECT * FROM drift_reports")


def test_what_a_missing_referenced_row_means_is_for_the_caller(database):
    orphan = "INSERT INTO model_versions (version_name, triggered_by_drift_report_id) VALUES ('v1', 9)"

    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        transact(database, lambda cursor: cursor.execute(orphan))


def test_a_lock_that_is_never_given_back_is_not_waited_for(database):
    impatient = database.model_copy(update={"lock_seconds": 0.2})
    with contextlib.closing(connect(database)) as holder:
        holder.cursor().execute("LOCK TABLE drift_reports IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(UnavailableError, match="lock timeout"):
            rows(impatient, "SELECT * FROM drift_reports")
