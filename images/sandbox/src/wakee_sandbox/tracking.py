"""A real MLflow server, with metadata in PostgreSQL and artifacts in R2. Clients need no credentials for either."""

from pydantic import Field, SecretStr
from wakee_common.database import connect
from wakee_common.settings import DatabaseSettings, R2Settings, Settings

from wakee_sandbox.processes import installed_program

ARTEFACTS = "mlflow"
PLAIN, WITH_DRIVER = "postgresql://", "postgresql+psycopg2://"


class TrackingSettings(Settings):
    """MLflow's backend store."""

    backend: SecretStr = Field(
        alias="MLFLOW_BACKEND_STORE_URI", description="postgresql://user:password@host/database, used by MLflow only."
    )
    allowed_hosts: str = Field(
        "*", alias="MLFLOW_ALLOWED_HOSTS", description="Host headers (with ports) that the server accepts."
    )

    @property
    def plain_backend(self) -> str:
        """The URL without the name of a driver."""
        return self.backend.get_secret_value().replace(WITH_DRIVER, PLAIN, 1)


def server_command(settings: TrackingSettings, r2: R2Settings, port: int) -> list[str]:
    """The command line, with one worker for a laptop, and without the database's URL, which contains a password."""
    listening = ["--host", "0.0.0.0", "--port", str(port), "--workers", "1"]  # noqa: S104 - other pods must reach it
    access = ["--allowed-hosts", settings.allowed_hosts, "--cors-allowed-origins", "*"]
    destination = ["--artifacts-destination", f"s3://{r2.bucket}/{ARTEFACTS}"]
    # Without this, the pod's probe, every two seconds, would fill the log.
    quiet = ["--uvicorn-opts", "--no-access-log"]
    return [installed_program("mlflow"), "server", *listening, *access, *destination, *quiet]


def environment(settings: TrackingSettings, r2: R2Settings) -> dict[str, str]:
    """The environment variables with MLflow's other settings."""
    return {
        # For a URL without a driver, SQLAlchemy 2.1 uses psycopg 3, which is not installed.
        "MLFLOW_BACKEND_STORE_URI": settings.plain_backend.replace(PLAIN, WITH_DRIVER, 1),
        "MLFLOW_S3_ENDPOINT_URL": r2.endpoint,
        "MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE": "path",
        "AWS_ACCESS_KEY_ID": r2.access_key_id.get_secret_value(),
        "AWS_SECRET_ACCESS_KEY": r2.secret_access_key.get_secret_value(),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
    }


def wait_for_database(settings: TrackingSettings) -> None:
    """Wait until the database responds, instead of exiting and restarting.

    Raises:
        WakeeError: the database denies access, or does not respond for a minute.
    """
    connect(DatabaseSettings.model_validate({"NEON_DATABASE_URL": settings.plain_backend})).close()
