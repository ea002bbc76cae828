"""Settings read from environment variables.

In a pod they come from the Secret `wakee-secrets` and the ConfigMap `wakee-config`, through `envFrom`.
"""

import re
from typing import Any, ClassVar, TypeVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from wakee_common.errors import ConfigurationError
from wakee_common.uris import R2Uri, safe_segment

HTTP_ADDRESS = r"^https?://[^\s/]\S*$"
QUOTES = ('"', "'")


class Settings(BaseSettings):
    """Base class of all settings: frozen, and unknown variables are ignored.

    Leading and trailing whitespace is removed, and an empty value counts as unset. A value in quotes is rejected.
    """

    model_config = SettingsConfigDict(frozen=True, extra="ignore", populate_by_name=True, env_ignore_empty=True)

    verbatim: ClassVar[bool] = False
    """Whether values are used unchanged, without `tidy`."""

    @field_validator("*", mode="before")
    @classmethod
    def _tidy(cls, value: Any, info: ValidationInfo) -> Any:
        if cls.verbatim or not isinstance(value, str):
            return value
        secret = info.field_name is not None and cls.model_fields[info.field_name].annotation is SecretStr
        return tidy(value, secret=secret)


S = TypeVar("S", bound=Settings)


def tidy(value: str, *, secret: bool = False) -> str:
    """Check a value and return it without surrounding whitespace.

    Args:
        value: The variable's value.
        secret: Whether it is a token, a key or an address with a password: ASCII, without whitespace.

    Raises:
        ValueError: the value is malformed. The message does not contain any part of it.
    """
    text = value.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in QUOTES:
        raise ValueError("it is in quotes: remove them")
    if not text.isprintable():
        raise ValueError("it contains a line break or a control character: remove it")
    if secret and re.search(r"\s", text):
        raise ValueError("it contains whitespace: remove it, or set the value again")
    if secret and not text.isascii():
        raise ValueError("it contains a character that is not ASCII: set the value again")
    return text


class DatabaseSettings(Settings):
    """NeonDB, or any PostgreSQL."""

    url: SecretStr = Field(alias="NEON_DATABASE_URL", description="postgresql://user:password@host/database")
    wake_up_seconds: float = Field(
        60, gt=0, alias="DATABASE_WAKE_UP_SECONDS", description="How long to retry while the database wakes up."
    )
    lock_seconds: float = Field(
        60, gt=0, alias="DATABASE_LOCK_SECONDS", description="How long a query waits for another query's lock."
    )

    @field_validator("url")
    @classmethod
    def _is_postgresql(cls, url: SecretStr) -> SecretStr:
        """Check the scheme only: libpq parses the rest, in forms that Python's parsers do not support."""
        if not re.match(r"postgres(ql)?(\+\w+)?://.", url.get_secret_value()):
            raise ValueError("not a postgresql:// address")
        return url


class R2Settings(Settings):
    """Cloudflare R2, or any S3 server when `R2_ENDPOINT_URL` is given."""

    access_key_id: SecretStr = Field(alias="R2_ACCESS_KEY_ID", description="S3 access key id of the R2 API token.")
    secret_access_key: SecretStr = Field(
        alias="R2_SECRET_ACCESS_KEY", description="S3 secret access key of the R2 API token."
    )
    bucket: str = Field(alias="R2_BUCKET_NAME", description="The bucket with the pictures and our artefacts.")
    prefix: str = Field(
        "",
        alias="R2_PREFIX",
        max_length=200,
        pattern=r"^([A-Za-z0-9][A-Za-z0-9._-]*/)*$",
        description="Folder of the bucket, such as `staging/`, for what the pipeline writes. Keys of pictures are "
        "complete and are used unchanged.",
    )
    account_id: str = Field(
        "",
        alias="R2_ACCOUNT_ID",
        pattern="^[A-Za-z0-9-]*$",
        description="Id of the Cloudflare account, used to build the endpoint's address.",
    )
    endpoint_url: str = Field(
        "",
        alias="R2_ENDPOINT_URL",
        description="Endpoint of another S3 server, or of a bucket with a jurisdiction, "
        "`https://<account>.eu.r2.cloudflarestorage.com`, without the bucket.",
    )
    attempts: int = Field(6, ge=1, le=20, alias="R2_ATTEMPTS", description="Attempts per request, with growing pauses.")
    transfers: int = Field(
        16,
        ge=1,
        le=256,
        alias="R2_TRANSFERS",
        description="Number of concurrent transfers. More are faster where R2 is far away, but need more memory.",
    )

    @field_validator("endpoint_url")
    @classmethod
    def _is_a_server(cls, url: str) -> str:
        """Check that there is no path. With the bucket in it, objects would be written below `<bucket>/<bucket>/`."""
        if url and not re.fullmatch(HTTP_ADDRESS, url):
            raise ValueError("not an http(s):// address")
        if urlsplit(url).path.strip("/"):
            raise ValueError("it contains a path: remove it, the bucket's name is R2_BUCKET_NAME")
        return url.rstrip("/")

    @field_validator("bucket")
    @classmethod
    def _is_a_bucket(cls, name: str) -> str:
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{1,62}", name):
            raise ValueError("not a valid bucket name: use letters, digits, dots and dashes, without r2:// or a path")
        return name

    @property
    def root(self) -> R2Uri:
        """The prefix of everything that the pipeline writes."""
        return R2Uri(self.bucket, self.prefix)

    @property
    def endpoint(self) -> str:
        """The URL of the S3 endpoint.

        Raises:
            ConfigurationError: neither an account nor an endpoint is set.
        """
        if self.endpoint_url:
            return self.endpoint_url
        if not self.account_id:
            raise ConfigurationError("R2_ACCOUNT_ID is not set. Set it, or R2_ENDPOINT_URL for another S3 server")
        return f"https://{self.account_id}.r2.cloudflarestorage.com"


class RunContext(Settings):
    """The DAG run and task of this process, as set by the stage factory of the DAGs."""

    verbatim = True

    dag_id: str = Field("by_hand", alias="WAKEE_DAG_ID", description="The DAG.")
    run_id: str = Field("by-hand", alias="WAKEE_RUN_ID", description="The DAG run.")
    task_id: str = Field("", alias="WAKEE_TASK_ID", description="The task. Default: the name of the stage.")
    try_number: int = Field(1, alias="WAKEE_TRY_NUMBER", description="Number of this attempt of the task.")
    image: str = Field("", alias="WAKEE_IMAGE", description="The image this runs in, by digest or content tag.")
    git_commit: str = Field("", alias="WAKEE_GIT_COMMIT", description="The commit that the image was built from.")

    def folder(self, root: R2Uri) -> R2Uri:
        """Return the prefix of this task's artefacts, which is the same for every attempt.

        Args:
            root: The prefix of everything that the pipeline writes.
        """
        names = map(safe_segment, (self.dag_id, self.run_id, self.task_id))
        return root / f"runs/{'/'.join(names)}/"


def load(kind: type[S]) -> S:
    """Read settings from the environment.

    Raises:
        ConfigurationError: variables are missing or wrong. The message names all of them in one line.
    """
    try:
        return kind()
    except ValidationError as error:
        problems = ", ".join(f"{_variable(kind, e['loc'])} ({_problem(e['msg'])})" for e in error.errors())
        raise ConfigurationError(
            f"invalid settings: {problems}. Set them in .env (see .env.example) and apply the Secret wakee-secrets."
        ) from None


def _problem(message: str) -> str:
    """Return pydantic's message, which does not contain the value, with a lowercase first letter."""
    text = message.removeprefix("Value error, ")
    return text[0].lower() + text[1:]


def _variable(kind: type[Settings], location: tuple[int | str, ...]) -> str:
    name = str(location[0]) if location else kind.__name__
    field = kind.model_fields.get(name)
    return field.alias if field and field.alias else name
