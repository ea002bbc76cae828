import os
import signal
from contextlib import closing
from pathlib import Path

import psycopg2
import pytest
from wakee_common.database import connect, transact
from wakee_common.errors import ConfigurationError
from wakee_common.settings import DatabaseSettings
from wakee_sandbox import postgres

from support.ports import free_port, is_free
from support.sandbox import Service
from support.waiting import wait_for

from .conftest import answers, postgres_service


def started(service: Service, settings: DatabaseSettings) -> None:
    service.start().wait_until(lambda: answers(settings), "PostgreSQL answers")


def count(settings: DatabaseSettings) -> int:
    with closing(connect(settings)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM kept")
        (rows,) = cursor.fetchone() or (0,)
        return int(rows)


def test_owner_gets_every_database(data: Path) -> None:
    service, settings = postgres_service(data, free_port(), POSTGRES_EXTRA_DATABASES="airflow, mlflow")
    try:
        started(service, settings)
        with closing(connect(settings)) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database JOIN pg_roles r ON r.oid = datdba WHERE rolname = 'wakee'")
            assert {name for (name,) in cursor.fetchall()} == {"wakee", "airflow", "mlflow"}
    finally:
        service.stop(signal.SIGINT)


def test_data_and_access_survive_kill_and_leftovers_of_a_crash(data: Path) -> None:
    part = data / "pg" / "cluster.part"
    part.mkdir(parents=True)
    (part / "PG_VERSION").write_text("half an initdb")
    for path in (data / "pg", part):
        path.chmod(0o777)
    service, settings = postgres_service(data, port := free_port())
    try:
        started(service, settings)
        transact(settings, lambda cursor: cursor.execute("CREATE TABLE kept AS SELECT 1"))
        service.stop(signal.SIGKILL)
        wait_for(lambda: is_free(port), 60, "the end of the killed server's children")
        (data / "pg" / "cluster" / "postmaster.pid").write_text(f"{os.getpid()}\n")
        started(service, settings)
        assert count(settings) == 1
    finally:
        service.stop(signal.SIGINT)


def test_changed_password_takes_effect_and_the_old_one_is_refused(data: Path) -> None:
    port = free_port()
    service, old = postgres_service(data, port)
    started(service, old)
    service.stop(signal.SIGINT)
    service, new = postgres_service(data, port, POSTGRES_PASSWORD="another")
    try:
        started(service, new)
        with pytest.raises(ConfigurationError, match="password authentication failed"):
            connect(old)
    finally:
        service.stop(signal.SIGINT)


def test_two_servers_never_share_a_directory(data: Path, database: DatabaseSettings, data_root: Path) -> None:
    assert not postgres_lock_is_free(data_root / "pg")


def postgres_lock_is_free(directory: Path) -> bool:
    import fcntl

    with (directory / ".lock").open("r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


def test_password_may_hold_quotes(database: DatabaseSettings) -> None:
    with closing(psycopg2.connect(database.url.get_secret_value())) as connection:
        assert connection.get_dsn_parameters()["user"] == "wakee"


def test_password_of_two_lines_is_refused_before_anything_runs() -> None:
    with pytest.raises(ConfigurationError, match="one line"):
        postgres._literal("a\nDROP TABLE x")
