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
        ConfigurationError,
        "the database schema does not match this image: {said}. Run `wakee-db upgrade`",
        ("42P01", "42703"),
    ),
    Refusal(
        UnavailableError,
        "the transaction of the snapshot has ended: {said}. A retry reads everything again",
        ("22023", "42704"),
        ("invalid snapshot identifier", "snapshot"),
    ),
    Refusal(BadInputError, "the database cannot store a value: {said}", ("22",)),
    Refusal(
        ConfigurationError,
        "permission denied by the database: {said}. Check the privileges of NEON_DATABASE_URL's user",
        ("42501",),
    ),
    Refusal(
        ConfigurationError,
        "the database rejected the connection: {said}. Check NEON_DATABASE_URL",
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
    Refusal(UnavailableError, "the database rejected the request: {said}"),
)
"""PostgreSQL, libpq and PgBouncer."""

R2 = (
    Refusal(
        ConfigurationError, "the bucket of {what} does not exist ({said}). Check R2_BUCKET_NAME", ("NoSuchBucket",)
    ),
    Refusal(
        ConfigurationError,
        "R2 rejected the credentials for {what} ({said}). Check R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY, whether the "
        "token may use this bucket, and R2_ENDPOINT_URL if the bucket has a jurisdiction",
        ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "Unauthorized", "401", "403"),
    ),
    Refusal(
        ConfigurationError,
        "R2 request failed for {what}: the server is not an S3 server ({said}). Check R2_ENDPOINT_URL",
        ("AuthorizationHeaderMalformed", "MethodNotAllowed", "PermanentRedirect", "301", "307", "405"),
    ),
    Refusal(MissingObjectError, "no such object: {what}", ("NoSuchKey", "404", "NotFound")),
    Refusal(
        UnavailableError,
        "Cannot write {what}: another process has changed it in the meantime ({said}). A retry reads it again",
        ("PreconditionFailed", "ConditionalRequestConflict", "412", "409"),
    ),
    Refusal(BadInputError, "R2 does not accept {what} ({said})", ("EntityTooLarge", "KeyTooLongError", "413")),
    Refusal(
        UnavailableError,
        "R2 rejected the request for {what}: this node's clock is wrong ({said}). Check the node's time service",
        ("RequestTimeTooSkewed",),
    ),
    Refusal(UnavailableError, "R2 request failed for {what}: {said}"),
)
"""R2, or another S3 server."""

HUB = (
    Refusal(
        ConfigurationError,
        "the Hub rejected the request for {what} ({said}). Free space there or raise the limit",
        ("402", "403"),
        ("storage", "quota", "limit"),
    ),
    Refusal(
        ConfigurationError,
        "the Hub denied access to {what} ({said}). Request access on the repository's page with the account of "
        "HF_TOKEN",
        ("401", "403"),
        ("gated", "awaiting", "authorized list"),
    ),
    Refusal(ConfigurationError, "the Hub denied access to {what} ({said}). Check HF_TOKEN", ("401",)),
    Refusal(
        ConfigurationError,
        "the Hub denied access to {what} ({said}). Check the permissions of HF_TOKEN in the repository",
        ("402", "403"),
    ),
    Refusal(
        ConflictError, "the repository has changed in the meantime: {what} ({said}). Run evaluate again", ("409", "412")
    ),
    Refusal(BadInputError, "the Hub does not accept the request for {what} ({said})", ("400", "413", "422")),
    Refusal(UnavailableError, "Hub request failed for {what}: {said}"),
)
"""The Hugging Face Hub."""

MLFLOW = (
    Refusal(
        ConfigurationError,
        "MLflow denied access: {said}. Check MLFLOW_TRACKING_URI and its credentials",
        ("401", "403"),
    ),
    Refusal(
        ConfigurationError,
        "MLflow rejected the request: {said}. Check MLFLOW_EXPERIMENT_NAME and MLFLOW_MODEL_NAME",
        ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST"),
    ),
    Refusal(UnavailableError, "MLflow request failed: {said}"),
)
"""MLflow's tracking server and registry. A proxy in front of them responds without MLflow's error codes."""
