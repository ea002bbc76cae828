"""`wakee-sandbox`: local substitutes for the external services. Not for production."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from wakee_common.errors import WakeeError
from wakee_common.logs import configure_logging
from wakee_common.redaction import redact
from wakee_common.settings import DatabaseSettings, R2Settings, load

from wakee_sandbox.habits import Habits

HABITS = Habits()

app = typer.Typer(help=__doc__, no_args_is_help=True, pretty_exceptions_enable=False)

Data = Annotated[Path, typer.Option(help="Folder of the service's data.")]


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
    """Run PostgreSQL in place of NeonDB (POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB)."""
    from wakee_sandbox import postgres as server
    from wakee_sandbox.processes import become

    with _errors_as_one_line():
        cluster = server.prepare(data, load(server.PostgresSettings))
        become(server.server_command(cluster, port))


@app.command()
def s3(data: Data, port: int = 8333) -> None:
    """Run SeaweedFS in place of R2 (R2_ACCESS_KEY_ID, R2_SECRET_ACCESS_KEY)."""
    from wakee_sandbox import s3 as server
    from wakee_sandbox.processes import become

    with _errors_as_one_line():
        server.prepare(data, load(R2Settings))
        become(server.server_command(data, port), server.MEMORY)


@app.command()
def s3_ready() -> None:
    """Create the bucket if it is missing, then write and read an object. Exits with 0 if all of it works (R2_*)."""
    from wakee_sandbox import s3 as server

    with _errors_as_one_line():
        server.ready(load(R2Settings))


@app.command()
def seed(
    rows: Annotated[int, typer.Option(min=1, help="Number of valid rows.")] = 600,
    days: Annotated[float, typer.Option(min=0.01, help="Number of days over which the rows are spread.")] = 14,
    until: Annotated[
        str, typer.Option(help="End of these days: ISO 8601 (UTC), or 'now' (the last full hour).")
    ] = "now",
    bias: Annotated[str, typer.Option(help="Prediction minus truth: a number, or emotion=number,...")] = "0.1",
    noise: Annotated[float, typer.Option(min=0, help="Standard deviation of the prediction.")] = 0.2,
    drift_days: Annotated[float, typer.Option(min=0, help="Number of days at the end with the drift values.")] = 7,
    drift_bias: Annotated[str | None, typer.Option(help="Like --bias, for the last days.")] = None,
    drift_noise: Annotated[float | None, typer.Option(min=0, help="Like --noise, for the last days.")] = None,
    bad: Annotated[
        int,
        typer.Option(min=0, help="Number of additional broken rows: NaN, out of range, no picture, half a picture."),
    ] = 0,
    people: Annotated[
        int, typer.Option(min=0, help="Number of people in the pictures. 0: a different person in each.")
    ] = HABITS.people,
    burst: Annotated[float, typer.Option(min=1, help="Pictures per session, on average.")] = HABITS.burst,
    unequal: Annotated[
        float, typer.Option(min=0, help="The n-th person takes a share of 1 / n to this power of the pictures.")
    ] = HABITS.unequal,
    personal_bias: Annotated[
        float, typer.Option(min=0, help="Standard deviation of each person's own offset of the sliders from the truth.")
    ] = HABITS.personal_bias,
    anonymous: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the people who are not logged in.")
    ] = HABITS.anonymous,
    untouched: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the sliders that are not moved.")
    ] = HABITS.untouched,
    seed: Annotated[int, typer.Option(help="The same seed produces the same rows and pictures.")] = 7,
    production_days: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Back-date the model versions: the newest promotion is this many days before the end, so that the "
            "rows since then are predictions of that version.",
        ),
    ] = None,
    pictures_only: Annotated[bool, typer.Option("--pictures-only", help="Do not change the database.")] = False,
    labels_only: Annotated[bool, typer.Option("--labels-only", help="Do not change the bucket.")] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="First delete the rows and pictures of earlier seeds.")
    ] = False,
) -> None:
    """Fill database and bucket with annotations and drawn pictures (NEON_DATABASE_URL, R2_*). Idempotent."""
    from wakee_sandbox import seeding
    from wakee_sandbox.population import Error, Options, parse_bias, parse_until

    with _errors_as_one_line():
        usual = Error(parse_bias(bias), noise)
        drift = Error(
            usual.bias if drift_bias is None else parse_bias(drift_bias), noise if drift_noise is None else drift_noise
        )
        habits = Habits(people, burst, unequal, personal_bias, anonymous, untouched)
        options = Options(parse_until(until), rows, days, usual, drift, drift_days, bad, seed, habits)
        summary = seeding.seed(
            options,
            pictures=not labels_only,
            labels=not pictures_only,
            reset=reset,
            production_days=production_days,
        )
        typer.echo(summary.model_dump_json(indent=2))


@app.command()
def hub(data: Data, port: int = 8080) -> None:
    """Run a test double of the Hugging Face Hub (HF_TOKEN). Clients set HF_ENDPOINT and HF_HUB_DISABLE_XET=1."""
    from wakee_sandbox.hub.server import HubSettings, application
    from wakee_sandbox.processes import own_directory
    from wakee_sandbox.web import serve

    with _errors_as_one_line():
        settings = load(HubSettings)
        own_directory(data)
        serve(application(data, settings), port)


@app.command()
def mlflow(port: int = 5000) -> None:
    """Run an MLflow server (MLFLOW_BACKEND_STORE_URI, R2_*)."""
    from wakee_sandbox import tracking
    from wakee_sandbox.processes import become

    with _errors_as_one_line():
        settings, r2 = load(tracking.TrackingSettings), load(R2Settings)
        tracking.wait_for_database(settings)
        become(tracking.server_command(settings, r2, port), tracking.environment(settings, r2))


@app.command()
def api(port: int = 8000) -> None:
    """Run the Wakee API with the Hub's model (HF_ENDPOINT, HF_MODEL_REPO, NEON_DATABASE_URL, R2_*)."""
    from wakee_sandbox.model import ModelSettings
    from wakee_sandbox.wakee_api import application
    from wakee_sandbox.web import serve

    with _errors_as_one_line():
        serve(application(load(ModelSettings), load(DatabaseSettings), load(R2Settings)), port)


@app.command()
def sourcing(port: int = 8501) -> None:
    """Run the sourcing page."""
    from wakee_sandbox.sourcing import application
    from wakee_sandbox.web import serve

    with _errors_as_one_line():
        serve(application(), port)


@app.command()
def fault_server() -> None:
    """Run a faulty server, which tests put in place of a service: 503 on port 9001, no response on 9002, ..."""
    import asyncio

    from wakee_sandbox import fault_server as server

    with _errors_as_one_line():
        asyncio.run(server.serve())


@app.command()
def mail(
    port: int = 8025,
    smtp_port: int = 1025,
    certificate: Annotated[Path | None, typer.Option(help="PEM file. If set, clients must use TLS.")] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's key, if it is in a separate file.")] = None,
) -> None:
    """Run a mail server and a webhook that store what they receive: GET /messages, GET /webhook."""
    from wakee_sandbox.mail import application
    from wakee_sandbox.web import serve

    with _errors_as_one_line():
        serve(application(smtp_port, certificate, key), port)
