"""`wakee-db`: bring the database's schema to the version that the stages expect."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import typer
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, text
from sqlalchemy.engine import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import NullPool

from wakee_common.database import connect
from wakee_common.errors import WakeeError
from wakee_common.logs import configure_logging
from wakee_common.redaction import redact
from wakee_common.settings import DatabaseSettings, load

COLUMNS = """
SELECT table_name || '.' || column_name, data_type || coalesce(' default ' || column_default, '')
FROM information_schema.columns WHERE table_schema = current_schema() ORDER BY table_name, ordinal_position"""

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)

ONE_MIGRATION_AT_A_TIME = 7_215_001
"""Key of the advisory lock that keeps two Jobs from migrating at once."""


@app.command()
def upgrade(
    revision: str = typer.Argument("head", help="Target revision. Default: the newest."),
    dry_run: bool = typer.Option(False, help="Print which columns would change, then roll back."),
) -> None:
    """Create missing tables and columns, and adopt existing ones. Safe to run again. Nothing is dropped or renamed."""
    configure_logging()
    with _one_line_errors():
        settings = load(DatabaseSettings)
        if dry_run:
            typer.echo("\n".join(planned(settings, revision)) or "no column changes")
            return
        before, after = upgrade_database(settings, revision)
    typer.echo(f"schema: {before or 'unmanaged'} -> {after}" if before != after else f"schema: already at {after}")


@app.command()
def current() -> None:
    """Print the schema's version, and the newest one known to this image."""
    with _one_line_errors():
        revision = current_revision(load(DatabaseSettings))
    typer.echo(f"current {revision or 'unmanaged'}, newest {head_revision()}")


@contextlib.contextmanager
def _one_line_errors() -> Iterator[None]:
    try:
        yield
    except WakeeError as error:
        typer.echo(f"error: {redact(str(error))}", err=True)
        raise typer.Exit(error.exit_code) from None
    except SQLAlchemyError as error:
        typer.echo(f"error: {redact(' '.join(str(getattr(error, 'orig', None) or error).split()))}", err=True)
        raise typer.Exit(1) from None


def upgrade_database(settings: DatabaseSettings, revision: str = "head") -> tuple[str | None, str | None]:
    """Migrate in one transaction; return the revisions before and after."""
    with _engine(settings).begin() as connection:
        return _upgrade(connection, revision)


def planned(settings: DatabaseSettings, revision: str = "head") -> list[str]:
    """Run an upgrade and roll it back; return a line per changed column, with its type before and after.

    It holds the same locks as an upgrade, for the same time.
    """
    with _engine(settings).connect() as connection:
        before = _columns(connection)
        _upgrade(connection, revision)
        after = _columns(connection)
        connection.rollback()
    changed = [name for name in after if after[name] != before.get(name)]
    return [f"{name}: {before.get(name, 'missing')} -> {after[name]}" for name in changed]


def _upgrade(connection: Connection, revision: str) -> tuple[str | None, str | None]:
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ONE_MIGRATION_AT_A_TIME})
    before = _revision(connection)
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)
    return before, _revision(connection)


def _columns(connection: Connection) -> dict[str, str]:
    return {str(name): str(kind) for name, kind in connection.execute(text(COLUMNS))}


def current_revision(settings: DatabaseSettings) -> str | None:
    """Return the revision of the database; None if no migration has run."""
    with _engine(settings).connect() as connection:
        return _revision(connection)


def head_revision() -> str | None:
    """Return the newest revision known to this image."""
    return ScriptDirectory.from_config(_config()).get_current_head()


def is_known(revision: str) -> bool:
    """Return whether this image has the migration. It does not have the migrations of newer images."""
    return revision in {script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()}


def _engine(settings: DatabaseSettings) -> Engine:
    return create_engine("postgresql+psycopg2://", creator=lambda: connect(settings), poolclass=NullPool)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    return config


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()
