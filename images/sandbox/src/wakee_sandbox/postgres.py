"""PostgreSQL in place of NeonDB."""

import logging
import os
import pwd
import shutil
import subprocess
from pathlib import Path

from pydantic import Field, SecretStr
from wakee_common.errors import ConfigurationError, WakeeError
from wakee_common.settings import Settings

from wakee_sandbox.processes import own_directory

logger = logging.getLogger(__name__)

INSTALLATIONS = Path("/usr/lib/postgresql")
SOCKETS = "/tmp"  # noqa: S108 - the only writable path on a read-only root that is short enough for a socket
ACCESS = "local all all scram-sha-256\nhost all all all scram-sha-256\n"


class PostgresSettings(Settings):
    """User, password and databases. The password may contain any characters."""

    verbatim = True

    user: str = Field("wakee", alias="POSTGRES_USER", description="Owner of the databases.")
    password: SecretStr = Field(alias="POSTGRES_PASSWORD", description="The owner's password.")
    database: str = Field("wakee", alias="POSTGRES_DB", description="The database of the application.")
    extra_databases: str = Field(
        "", alias="POSTGRES_EXTRA_DATABASES", description="Additional databases of the same owner, separated by commas."
    )

    @property
    def databases(self) -> list[str]:
        """All databases to create, without duplicates."""
        names = [self.database, *self.extra_databases.split(",")]
        return list(dict.fromkeys(name.strip() for name in names if name.strip()))


def server_command(cluster: Path, port: int) -> list[str]:
    """The command line of the server.

    Without fsync, a crash of the machine may lose data, but a crash of the server does not.
    """
    options = {
        "listen_addresses": "*",
        "unix_socket_directories": SOCKETS,
        "fsync": "off",
        "max_connections": "200",
        "dynamic_shared_memory_type": "mmap",
        "log_line_prefix": "%m [%p] ",
    }
    flags = [item for name, value in options.items() for item in ("-c", f"{name}={value}")]
    return [str(_program("postgres")), "-D", str(cluster), "-p", str(port), *flags]


def prepare(data: Path, settings: PostgresSettings) -> Path:
    """Create the cluster, the role and the databases if they do not exist. Returns the cluster's folder.

    A new cluster is renamed to its final name when it is complete, so that a crash leaves no partial cluster.

    Raises:
        ConfigurationError: PostgreSQL is not installed, or this user cannot run it.
    """
    own_directory(data)
    cluster = data / "cluster"
    if not cluster.exists():
        _initialise(data / "cluster.part").rename(cluster)
    # We hold the directory's lock, so the writer of this file has ended. Its process id may be reused by now.
    (cluster / "postmaster.pid").unlink(missing_ok=True)
    (cluster / "pg_hba.conf").write_text(ACCESS)
    _create_role_and_databases(cluster, settings)
    return cluster


def _program(name: str) -> Path:
    found = sorted(INSTALLATIONS.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    if not found:
        raise ConfigurationError(f"PostgreSQL is not installed: {INSTALLATIONS}/*/bin/{name} does not exist")
    return found[-1]


def _initialise(part: Path) -> Path:
    _check_user()
    shutil.rmtree(part, ignore_errors=True)
    options = ["--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync", "--auth=scram-sha-256"]
    # initdb requires a password for password authentication. The superuser gets a random one.
    password_file = part.with_suffix(".password")
    password_file.touch(0o600)
    password_file.write_text(os.urandom(16).hex())
    _run([str(_program("initdb")), "-D", str(part), f"--pwfile={password_file}", *options], "initdb")
    password_file.unlink()
    return part


def _check_user() -> None:
    if os.geteuid() == 0:
        raise ConfigurationError("PostgreSQL does not run as root. Set runAsUser to another UID")
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise ConfigurationError(
            f"Cannot run initdb: UID {os.geteuid()} has no entry in /etc/passwd of this image"
        ) from None


def _create_role_and_databases(cluster: Path, settings: PostgresSettings) -> None:
    """Create role and databases before the server starts, in single-user mode: one statement per line."""
    user, password = _identifier(settings.user), _literal(settings.password.get_secret_value())
    lines = [
        f"DO $$ BEGIN CREATE ROLE {user}; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        f"ALTER ROLE {user} LOGIN CREATEDB PASSWORD {password}",
        # An error does not stop the following lines, and 'already exists' is the only expected one.
        *(f"CREATE DATABASE {_identifier(name)} OWNER {user}" for name in settings.databases),
        "SELECT datname FROM pg_database",
    ]
    command = [str(_program("postgres")), "--single", "-D", str(cluster), "-c", "fsync=off", "postgres"]
    output = _run(command, "single-user mode", "\n".join(lines) + "\n")
    missing = [name for name in settings.databases if f'datname = "{name}"' not in output]
    if missing:
        raise WakeeError(f"PostgreSQL did not create {', '.join(missing)}")
    logger.info("role %s owns %s", settings.user, ", ".join(settings.databases))


def _run(command: list[str], what: str, statements: str = "") -> str:
    done = subprocess.run(command, input=statements, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise WakeeError(f"{what} failed with exit code {done.returncode}: {last}")
    return done.stdout


def _identifier(name: str) -> str:
    return '"' + _one_line(name).replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + _one_line(text).replace("'", "''") + "'"


def _one_line(text: str) -> str:
    if "\n" in text or "\0" in text:
        raise ConfigurationError("POSTGRES_USER, POSTGRES_PASSWORD and POSTGRES_DB must be one line each")
    return text
