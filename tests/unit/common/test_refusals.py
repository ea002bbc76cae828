"""Every row of the tables of refusals, by an answer as the real service gives it."""

import pytest
from wakee_common.errors import BadInputError, ConfigurationError, UnavailableError
from wakee_common.refusals import DATABASE, HUB, MLFLOW, R2, ConflictError, MissingObjectError, refusal

EXAMPLES = [
    (DATABASE, "42P01", 'relation "drift_reports" does not exist', ConfigurationError, "wakee-db upgrade"),
    (DATABASE, "42703", 'column "lineage" does not exist', ConfigurationError, "wakee-db upgrade"),
    (DATABASE, "22023", 'invalid snapshot identifier: "00000003-1"', UnavailableError, "A retry reads"),
    (DATABASE, "42704", 'snapshot "00000003-1" does not exist', UnavailableError, "A retry reads everything again"),
    (DATABASE, "22003", "integer out of range", BadInputError, "cannot store a value"),
    (DATABASE, "22021", "invalid byte sequence for encoding", BadInputError, "cannot store a value"),
    (DATABASE, "42501", "permission denied for table drift_reports", ConfigurationError, "Check the privileges"),
    *(
        (DATABASE, "", said, ConfigurationError, "Check NEON_DATABASE_URL")
        for said in (
            'FATAL:  password authentication failed for user "wakee"',
            'FATAL:  database "nowhere" does not exist',
            'FATAL:  role "nobody" does not exist',
            "FATAL:  no such database: nowhere",
            "FATAL:  no such user",
            'FATAL:  no pg_hba.conf entry for host "10.0.0.1"',
            "server does not support SSL, but SSL was required",
            "SSL error: certificate verify failed",
            'root certificate file "/no/such/file" does not exist',
            'server certificate for "a" does not match host name "b"',
            'could not read certificate file "/no/such/file"',
            'invalid sslmode value: "sometimes"',
            'invalid channel_binding value: "maybe"',
            'invalid integer value "x" for connection option "port"',
            "FATAL:  unsupported startup parameter: options",
            'FATAL:  unrecognized configuration parameter "nonsense"',
            'FATAL:  invalid value for parameter "TimeZone"',
            "FATAL:  invalid command-line argument for server process",
            "FATAL:  -c nonsense requires a value",
        )
    ),
    (DATABASE, "25006", "cannot execute INSERT in a read-only transaction", UnavailableError, "rejected the request"),
    (DATABASE, "", "the database system is starting up", UnavailableError, "rejected the request"),
    (R2, "NoSuchBucket", "NoSuchBucket: The specified bucket does not exist.", ConfigurationError, "R2_BUCKET_NAME"),
    *(
        (R2, code, code, ConfigurationError, "R2_ACCESS_KEY_ID")
        for code in ("InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "ExpiredToken", "Unauthorized")
    ),
    *((R2, code, code, ConfigurationError, "R2_ACCESS_KEY_ID") for code in ("401", "403")),
    *(
        (R2, code, code, ConfigurationError, "not an S3 server")
        for code in ("AuthorizationHeaderMalformed", "MethodNotAllowed", "PermanentRedirect", "301", "307", "405")
    ),
    *((R2, code, code, MissingObjectError, "no such object") for code in ("NoSuchKey", "404", "NotFound")),
    *((R2, code, code, BadInputError, "does not accept") for code in ("EntityTooLarge", "KeyTooLongError", "413")),
    *(
        (R2, code, code, UnavailableError, "another process has changed it")
        for code in ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
    ),
    (R2, "RequestTimeTooSkewed", "RequestTimeTooSkewed: too large", UnavailableError, "time service"),
    *((R2, code, code, UnavailableError, "request failed") for code in ("SlowDown", "InternalError", "503", "429", "")),
    (HUB, "403", "403: Private repository storage limit reached", ConfigurationError, "Free space"),
    (HUB, "402", "402: quota exceeded", ConfigurationError, "Free space"),
    (HUB, "403", "403: Access to model x is restricted and you are not in the authorized list", ConfigurationError,
     "Request access"),
    (HUB, "401", "401: Cannot access gated repo for url", ConfigurationError, "Request access"),
    (HUB, "403", "403: Your request to access model x is awaiting a review", ConfigurationError, "Request access"),
    (HUB, "401", "401: Invalid username or password.", ConfigurationError, "Check HF_TOKEN"),
    (HUB, "403", "403: Forbidden", ConfigurationError, "permissions of HF_TOKEN"),
    *((HUB, code, code, ConflictError, "Run evaluate again") for code in ("409", "412")),
    *((HUB, code, code, BadInputError, "does not accept") for code in ("400", "413", "422")),
    *((HUB, code, code, UnavailableError, "Hub request failed") for code in ("429", "500", "502", "503", "504")),
    *((MLFLOW, code, code, ConfigurationError, "MLFLOW_TRACKING_URI") for code in ("401", "403")),
    *(
        (MLFLOW, code, code, ConfigurationError, "MLFLOW_EXPERIMENT_NAME")
        for code in ("INVALID_PARAMETER_VALUE", "RESOURCE_DOES_NOT_EXIST")
    ),
    *((MLFLOW, code, code, UnavailableError, "MLflow request failed") for code in ("429", "500", "503")),
]  # fmt: skip


@pytest.mark.parametrize(("table", "code", "said", "error", "words"), EXAMPLES)
def test_what_an_answer_means(table, code, said, error, words):
    meaning = refusal(table, code, said, "the thing")
    assert type(meaning) is error
    assert words in str(meaning)


def test_every_row_has_an_example():
    for table in (DATABASE, R2, HUB, MLFLOW):
        answers = [(code, said) for known, code, said, *_ in EXAMPLES if known is table]
        met = {next(row for row in table if row.fits(*answer)) for answer in answers}
        assert met == set(table)


def test_every_code_and_every_phrase_is_tried():
    for table in (DATABASE, R2, HUB, MLFLOW):
        tried = [(code, said) for known, code, said, *_ in EXAMPLES if known is table]
        for row in table:
            assert all(any(code.startswith(known) for code, _ in tried) for known in row.codes), row
            assert all(any(words.lower() in said.lower() for _, said in tried) for words in row.words), row
