"""A PostgreSQL cluster in a temporary folder, and functions to execute statements."""

import contextlib
import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg2
from wakee_common.settings import DatabaseSettings

from support.ports import free_port

BINARIES = Path("/usr/lib/postgresql/15/bin")
START_SECONDS = 60


def execute(url: str, statement: str, values: Any = None) -> list[tuple[Any, ...]]:
    """Execute a statement in a transaction, and return the rows that it selects."""
    opened = contextlib.closing(psycopg2.connect(url))
    with opened as connection, connection, connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall() if cursor.description else []


def administer(url: str, statement: str) -> None:
    """Execute a statement that must not be in a transaction."""
    with contextlib.closing(psycopg2.connect(url)) as connection:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)


@dataclass(frozen=True)
class PostgresServer:
    """A PostgreSQL cluster in a temporary folder. Connections by TCP require a password, as in production."""

    folder: Path
    port: int
    password: str = "p%40ss-w0rd"
    """The password, percent-encoded as in a URL."""

    def url(self, database: str = "postgres", password: str = "") -> str:
        return f"postgresql://postgres:{password or self.password}@127.0.0.1:{self.port}/{database}"

    def settings(self, database: str = "postgres", wake_up_seconds: float = 20) -> DatabaseSettings:
        return DatabaseSettings(url=self.url(database), wake_up_seconds=wake_up_seconds)

    @classmethod
    def initialized(cls) -> "PostgresServer":
        """Create a new cluster without starting it."""
        folder = Path(tempfile.mkdtemp(prefix="wakee-postgres-"))
        (folder / "password").write_text("p@ss-w0rd")
        folder.chmod(0o755)
        if os.geteuid() == 0:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        initdb = ("-D", folder / "data", "-A", "scram-sha-256", f"--pwfile={folder / 'password'}", "-U", "postgres")
        _as_postgres("initdb", *initdb, "-N", "-E", "UTF8", "--locale=C.UTF-8")
        return cls(folder, free_port())

    def start(self, more: str = "") -> None:
        """Start the server, with additional options, without waiting until it responds."""
        options = (
            f"{more} -c listen_addresses=127.0.0.1 -p {self.port} -k {self.folder} -c fsync=off -c max_connections=50"
        )
        _as_postgres("pg_ctl", "start", "-W", "-D", self.folder / "data", "-l", self.folder / "log", "-o", options)

    def stop(self) -> None:
        _as_postgres("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self.folder / "data")

    def remove(self) -> None:
        """Stop the server if it is running, and delete its data."""
        if (self.folder / "data" / "postmaster.pid").exists():
            self.stop()
        shutil.rmtree(self.folder)

    def answers(self) -> bool:
        ready = subprocess.run([BINARIES / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False)
        return ready.returncode == 0


def _as_postgres(binary: str, *arguments: str | Path) -> None:
    """Run a program as the user postgres, because PostgreSQL does not run as root."""
    user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    command = [*user, str(BINARIES / binary), *map(str, arguments)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, timeout=START_SECONDS)
