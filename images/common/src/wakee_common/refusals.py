"""Tables that map a service's error code and message to our error and its remedy.

The first matching row applies. The last row of each table matches everything. A new row needs an example in
`tests/unit/common/test_refusals.py`.
"""

from dataclasses import dataclass

from wakee_common.errors import BadInputError, ConfigurationError, UnavailableError, WakeeError


class MissingObjectError(BadInputError):
    """The object is not in the bucket."""


class ConflictError(BadInputError):
    """The repository changed while we worked on it."""


@dataclass(frozen=True)
class Refusal:
    """A row of a table.

    Attributes:
        error: Class of the error: wrong settings, wrong data, or transient.
        text: Message template: `{what}` is what was requested, `{said}` the server's code and message.
        codes: SQLSTATEs (two digits match a class), S3 error codes or HTTP status codes; empty matches any.
        words: Texts, one of which is in the server's message; empty matches any.
    """

    error: type[WakeeError]
    text: str
    codes: tuple[str, ...] = ()
    words: tuple[str, ...] = ()

    def fits(self, code: str, said: str) -> bool:
        """Return whether this row matches the code and the message."""
        return (not self.codes or code in self.codes or code[:2] in self.codes) and (
            not self.words or any(words.lower() in said.lower() for words in self.words)
        )


def refusal(table: tuple[Refusal, ...], code: str, said: str, what: str = "") -> WakeeError:
    """Return the error for a service's response.

    Args:
        table: The service's table.
        code: The service's error code; empty if there is none.
        said: The service's message, in one line without secrets.
        what: What was requested.
    """
    row = next(row for row in table if row.fits(code, said))
    return row.error(row.text.format(what=what, said=said))


DATABASE = (
    Refusal(
        ConfigurationError, "the database's schema is not ours: {said}: run `wakee-db upgrade`", ("42P01", "42703")
    ),
    Refusal(
        UnavailableError,
        "the transaction that was being read has ended: {said}: the stage starts again",
        ("22023", "42704"),
        ("invalid snapshot identifier", "snapshot"),
    ),
    Refusal(BadInputError, "the database cannot hold a value: {said}", ("22",)),
    Refusal(
        ConfigurationError, "the database refuses us: {said}: check the rights of NEON_DATABASE_URL's user", ("42501",)
    ),
    Refusal(
        ConfigurationError,
        "the database refuses us: {said}: check NEON_DATABASE_URL",
        # libpq and PgBouncer give no codes for a failed connection.
        words=(
            "password authentication failed",
            "does not exist",
            "no such database",
            "no such user",
            "no pg_hba.conf entry",
            "does not support SSL",
            "certificate verify failed",
            "root certificate",
            "server certificate for",
            "could not read certificate file",
            "invalid sslmode value",
            "invalid channel_binding value",
            "invalid integer value",
            "unsupported startup parameter",
            "unrecognized configuration parameter",
            "invalid value for parameter",
            "invalid command-line argument",
            "requires a value",
        ),
    ),
    Refusal(UnavailableError, "the database refuses us: {said}"),
)
"""PostgreSQL, libpq and PgBouncer."""

R2 = (
    Refusal(
        ConfigurationError, "the bucket of {what} does not exist ({said}): check R2_BUCKET_NAME", ("NoSuchBucket",)
    ),
    Refusal(
        ConfigurationError,
        "R2 refused the credentials for {what} ({said}): check R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY, whether the "
        "token may use this bucket, and for a bucket with a jurisdiction R2_ENDPOINT_URL",
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "Unauthorized", "401", "403"),
    ),
    Refusal(
        ConfigurationError,
        "the server at R2_ENDPOINT_URL is no S3 server for {what} ({said}): check R2_ENDPOINT_URL",
        ("AuthorizationHeaderMalformed", "MethodNotAllowed", "PermanentRedirect", "301", "307", "405"),
    ),
    Refusal(MissingObjectError, "no such object: {what}", ("NoSuchKey", "404", "NotFound")),
    Refusal(
        UnavailableError,
        "Cannot write {what}: another process has changed it in the meantime ({said}). A retry reads it again.",
        ("PreconditionFailed", "ConditionalRequestConflict", "412", "409"),
    ),
    Refusal(BadInputError, "R2 does not take {what} ({said})", ("EntityTooLarge", "KeyTooLongError", "413")),
    Refusal(
        UnavailableError,
        "R2 refuses {what}: this node's clock is wrong ({said}): check its time service",
        ("RequestTimeTooSkewed",),
    ),
    Refusal(UnavailableError, "R2 failed on {what}: {said}"),
)
"""R2, or another S3 server."""

HUB = (
    Refusal(
        ConfigurationError,
        "the Hub refuses {what} ({said}): free space there or raise the limit",
        ("402", "403"),
        ("storage", "quota", "limit"),
    ),
    Refusal(
        ConfigurationError,
        "the Hub refuses {what} ({said}): let the account of HF_TOKEN ask for access on the repository's page",
        ("401", "403"),
        ("gated", "awaiting", "authorized list"),
    ),
    Refusal(ConfigurationError, "the Hub refuses {what} ({said}): check HF_TOKEN", ("401",)),
    Refusal(
        ConfigurationError,
        "the Hub refuses {what} ({said}): check that HF_TOKEN may do this in the repository",
        ("402", "403"),
    ),
    Refusal(ConflictError, "the repository changed meanwhile: {what} ({said}): evaluate again", ("409", "412")),
    Refusal(BadInputError, "the Hub does not take {what} ({said})", ("400", "413", "422")),
    Refusal(UnavailableError, "the Hub fails on {what} ({said})"),
)
"""The Hugging Face Hub."""

MLFLOW = (
    Refusal(
        ConfigurationError,
        "MLflow refuses us: check MLFLOW_TRACKING_URI and its credentials: {said}",
        ("401", "403"),
    ),
    Refusal(
        ConfigurationError,
        "MLflow cannot do this: {said}. Check MLFLOW_EXPERIMENT_NAME and MLFLOW_MODEL_NAME",
        ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"),
    ),
    Refusal(UnavailableError, "MLflow fails: {said}"),
)
"""MLflow's tracking server and registry. A proxy in front of them responds without MLflow's error codes."""
