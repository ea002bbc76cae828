"""Where things are: settings read from environment variables, each with its remedy when missing.

In a pod they come by `envFrom` from the Secret `wakee-secrets` and the ConfigMap `wakee-config`.
"""

from typing import TypeVar

from pydantic import Field, PostgresDsn, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from wakee_common.errors import ConfigurationError
from wakee_common.uris import R2Uri, safe_segment


class Settings(BaseSettings):
    """Base of all settings: frozen, and deaf to variables it does not know."""

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True)


S = TypeVar("S", bound=Settings)


class DatabaseSettings(Settings):
    """NeonDB, or any PostgreSQL."""

    url: SecretStr = Field(alias="NEON_DATABASE_URL", description="postgresql://user:password@host/database")
    wake_up_seconds: float = Field(
        60, gt=0, alias="DATABASE_WAKE_UP_SECONDS", description="How long to keep trying while the database wakes up."
    )
    lock_seconds: float = Field(
        60, gt=0, alias="DATABASE_LOCK_SECONDS", description="How long a query waits for a lock that another one holds."
    )

    @field_validator("url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr) -> SecretStr:
        try:
            PostgresDsn(url.get_secret_value())
        except ValidationError:
            # Its message repeats the address, and with it the password.
            raise ValueError("not a postgresql:// address") from None
        return url


class R2Settings(Settings):
    """Cloudflare R2, or any S3 server when `R2_ENDPOINT_URL` is given."""

    access_key_id: SecretStr = Field(alias="R2_ACCESS_KEY_ID", description="S3 access key id of the R2 API token.")
    secret_access_key: SecretStr = Field(alias="R2_SECRET_ACCESS_KEY", description="S3 secret of the R2 API token.")
    bucket: str = Field(alias="R2_BUCKET_NAME", description="The bucket with the pictures and our artefacts.")
    account_id: str = Field("", alias="R2_ACCOUNT_ID", description="Cloudflare account; makes the endpoint's name.")
    endpoint_url: str = Field("", alias="R2_ENDPOINT_URL", description="Endpoint of another S3 server.")
    attempts: int = Field(6, ge=1, le=20, alias="R2_ATTEMPTS", description="Tries per request, with growing pauses.")
    transfers: int = Field(
        16,
        ge=1,
        le=256,
        alias="R2_TRANSFERS",
        description="Concurrent transfers; more help where R2 is far away, and take more memory.",
    )

    @property
    def endpoint(self) -> str:
        """The S3 endpoint.

        Raises:
            ConfigurationError: neither an account nor an endpoint is set.
        """
        if self.endpoint_url:
            return self.endpoint_url
        if not self.account_id:
            raise ConfigurationError("R2_ACCOUNT_ID is not set (or R2_ENDPOINT_URL for another S3 server)")
        return f"https://{self.account_id}.r2.cloudflarestorage.com"


class RunContext(Settings):
    """Which task of which run this process is; set by the stage factory of the DAGs."""

    dag_id: str = Field("by_hand", alias="WAKEE_DAG_ID", description="The DAG.")
    run_id: str = Field("by-hand", alias="WAKEE_RUN_ID", description="The DAG run.")
    task_id: str = Field("", alias="WAKEE_TASK_ID", description="The task; the stage's own name when unset.")
    try_number: int = Field(1, alias="WAKEE_TRY_NUMBER", description="Which attempt at the task this is.")
    image: str = Field("", alias="WAKEE_IMAGE", description="The image this runs in, by digest or content tag.")
    git_commit: str = Field("", alias="WAKEE_GIT_COMMIT", description="The commit that the image was built from.")

    def folder(self, bucket: str) -> R2Uri:
        """The prefix under which this task keeps its artefacts; the same for every try."""
        return R2Uri(bucket, f"runs/{safe_segment(self.dag_id)}/{safe_segment(self.run_id)}/{self.task_id}/")


def load(kind: type[S]) -> S:
    """Read settings from the environment.

    Raises:
        ConfigurationError: one line that names every missing or wrong variable and how to set it.
    """
    try:
        return kind()
    except ValidationError as error:
        problems = ", ".join(f"{_variable(kind, e['loc'])} ({e['msg'].lower()})" for e in error.errors())
        raise ConfigurationError(
            f"settings: {problems}. Set them in .env (see .env.example) and apply the Secret wakee-secrets."
        ) from None


def _variable(kind: type[Settings], location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else kind.__name__
    field = kind.model_fields.get(name)
    return field.alias if field and field.alias else name
