"""Behind PgBouncer in transaction mode, as Neon's pooler is: each transaction may meet another session."""

import shutil
import subprocess

import pyarrow as pa
import pytest
from psycopg2 import sql
from wakee_common.database import reading, transact, upsert
from wakee_common.settings import DatabaseSettings
from wakee_drift.fetch.copying import copier

from support.ports import free_port
from support.waiting import wait_for

SCHEMA = pa.schema([("name", pa.string())])
SHOWN = "current_setting('TimeZone'), current_setting('lock_timeout')"
SETTINGS = """
[databases]
* = host=127.0.0.1 port={server} user=postgres password='p@ss-w0rd'
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 2
ignore_startup_parameters = extra_float_digits
"""


@pytest.fixture(scope="module")
def pooler(postgres_server):
    """The port of a PgBouncer with two connections to the server."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin:/opt/homebrew/bin")
    assert program, "apt-get install pgbouncer (`make test-unit` does)"
    port, file = free_port(), postgres_server.folder / "pgbouncer.ini"
    file.write_text(SETTINGS.format(server=postgres_server.port, port=port))
    user = ["-u", "postgres"] if file.owner() == "root" else []
    log = (postgres_server.folder / "pgbouncer.log").open("wb")
    process = subprocess.Popen([program, *user, str(file)], stdout=log, stderr=log)
    try:
        ready = ["/usr/lib/postgresql/15/bin/pg_isready", "-q", "-h", "127.0.0.1", "-p", str(port)]
        wait_for(lambda: subprocess.run(ready, check=False).returncode == 0, 30, "PgBouncer", every=0.05)
        yield port
    finally:
        process.terminate()
        process.wait(10)
        log.close()


@pytest.fixture
def pooled(database, pooler):
    name = database.url.get_secret_value().rpartition("/")[2]
    return DatabaseSettings(url=f"postgresql://anybody@127.0.0.1:{pooler}/{name}", wake_up_seconds=5)


def test_transactions_are_ours_from_first_to_last_statement(pooled):
    row = {"version_name": "v1", "model_type": "m"}
    for _ in range(5):
        transact(pooled, lambda cursor: upsert(cursor, "model_versions", ["version_name"], row))
    with reading(pooled) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT version_name, {SHOWN} FROM model_versions")
        assert cursor.fetchall() == [("v1", "UTC", "1min")]


def test_rows_are_streamed_in_the_same_snapshot(pooled):
    transact(pooled, lambda cursor: cursor.execute("INSERT INTO model_versions (version_name) VALUES ('before')"))
    with reading(pooled) as connection, copier(pooled, connection) as source:
        batches = source.batches(sql.SQL("SELECT version_name FROM model_versions"), SCHEMA)
        assert [batch.to_pydict() for batch in batches] == [{"name": ["before"]}]
