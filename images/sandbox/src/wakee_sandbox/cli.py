"""`wakee-sandbox`: local stand-ins for the outside world. Never for production."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from wakee_common.errors import WakeeError
from wakee_common.logs import configure_logging, redact
from wakee_common.settings import R2Settings, load

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)

Data = Annotated[Path, typer.Option(help="Where the service keeps its data.")]


@contextmanager
def _errors_as_one_line() -> Iterator[None]:
    configure_logging()
    try:
        yield
    except WakeeError as error:
        typer.echo(f"error: {redact(str(error))}", err=True)
        raise typer.Exit(error.exit_code) from None


@app.command()
def postgres(data: Data, port: int = 5432) -> None:
    """PostgreSQL in the place of NeonDB (POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB)."""
    from wakee_sandbox import postgres as server
    from wakee_sandbox.processes import become

    with _errors_as_one_line():
        cluster = server.prepare(data, load(server.PostgresSettings))
        become(server.server_command(cluster, port))


@app.command()
def s3(data: Data, port: int = 8333) -> None:
    """SeaweedFS in the place of R2 (R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY)."""
    from wakee_sandbox import s3 as server
    from wakee_sandbox.processes import become

    with _errors_as_one_line():
        server.prepare(data, load(R2Settings))
        become(server.server_command(data, port), server.MEMORY)


@app.command()
def s3_ready() -> None:
    """Create the bucket when missing, write and read an object: 0 when all of it works (R2_* variables)."""
    from wakee_sandbox import s3 as server

    with _errors_as_one_line():
        server.ready(load(R2Settings))
