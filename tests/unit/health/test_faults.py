"""Each service down, slow or wrong: the probe fails with exactly this cause, and what is not its own only warns."""

import contextlib

import psycopg2
import pytest
from wakee_common.migrations.cli import head_revision

from .environment import Environment


def test_api_down(environment: Environment):
    with environment.fault("WAKEE_API_URL", "down"):
        assert environment.cause("test-api") == "the API: GET /health answers 503: 'Service Unavailable'"


def test_api_slow(impatient: Environment):
    with impatient.fault("WAKEE_API_URL", "slow", seconds=2):
        assert impatient.cause("test-api") == "the API: GET /health: no answer within 0.5 s"


def test_api_wrong(environment: Environment):
    with environment.fault("WAKEE_API_URL", "wrong"):
        cause = environment.cause("test-api")
    assert cause == ("the API: GET /health breaks the contract: status: field required, model_loaded: field required")


def test_api_gone(environment: Environment, closed_port: int):
    cause = environment.but(WAKEE_API_URL=f"http://127.0.0.1:{closed_port}").cause("test-api")
    assert cause == (
        f"the API: GET /health: cannot be reached at http://127.0.0.1:{closed_port}: [Errno 111] Connection refused"
    )


def test_api_a_little_slow_is_a_warning(environment: Environment):
    (warning,) = environment.stage("test-api", slow_ms=0)["warnings"]
    assert warning.startswith("the API's /predict is slow: p95 ")


def test_api_certificate_of_nobody(environment: Environment, silent_port: int):
    cause = environment.but(WAKEE_API_URL=f"https://127.0.0.1:{silent_port}", HEALTH_TIMEOUT_SECONDS="0.5").cause(
        "test-api"
    )
    assert cause.startswith("cannot open a TLS connection to 127.0.0.1:")


@pytest.mark.parametrize(
    ("name", "command"),
    [
        pytest.param("WAKEE_API_URL", "test-api", id="api"),
        pytest.param("NEON_DATABASE_URL", "test-database", id="database"),
        pytest.param("R2_BUCKET_NAME", "test-storage", id="storage"),
        pytest.param("APP_SOURCING_URL", "test-app-sourcing", id="sourcing"),
        pytest.param("HF_MODEL_REPO", "test-model-hub", id="hub"),
    ],
)
def test_missing_setting(environment: Environment, name: str, command: str):
    variables = {key: value for key, value in environment.variables.items() if key != name}
    cause = Environment(variables, environment.store, environment.folder).cause(command, exit_code=2)
    assert cause.startswith(f"invalid settings: {name} (field required). Set ")


def test_sourcing_down(environment: Environment):
    with environment.fault("APP_SOURCING_URL", "down"):
        cause = environment.cause("test-app-sourcing")
    assert cause == "the sourcing page: GET / answers 503: 'Service Unavailable'"


def test_sourcing_slow(impatient: Environment):
    with impatient.fault("APP_SOURCING_URL", "slow", seconds=2):
        assert impatient.cause("test-app-sourcing") == "the sourcing page: GET /: no answer within 0.5 s"


def test_sourcing_wrong(environment: Environment):
    with environment.fault("APP_SOURCING_URL", "wrong"):
        cause = environment.cause("test-app-sourcing")
    assert cause == """the sourcing page: GET / is not a web page but application/json: '{"unexpected":true}'"""


def test_database_down(environment: Environment, closed_port: int):
    cause = _with_port(environment, closed_port).cause("test-database")
    assert cause.startswith("cannot connect to the database within 1 s: ")
    assert "Connection refused" in cause


def test_database_password(environment: Environment):
    address = environment.url("NEON_DATABASE_URL").replace("p%40ss-w0rd", "an0ther")
    cause = environment.but(NEON_DATABASE_URL=address).cause("test-database", exit_code=2)
    assert cause.startswith("the database rejected the connection: ")
    assert cause.endswith(". Check NEON_DATABASE_URL")
    assert "an0ther" not in cause


def test_database_without_a_column(environment: Environment):
    environment.execute("ALTER TABLE emotion_labels RENAME user_boredom TO user_bored")
    environment.execute("ALTER TABLE drift_reports ALTER num_samples TYPE text")
    try:
        cause = environment.cause("test-database", exit_code=2)
    finally:
        environment.execute("ALTER TABLE emotion_labels RENAME user_bored TO user_boredom")
        environment.execute("ALTER TABLE drift_reports ALTER num_samples TYPE integer USING num_samples::integer")
    assert cause == (
        "the database schema does not match this image: emotion_labels.user_boredom is missing, "
        "drift_reports.num_samples is text, not integer"
    )


@pytest.mark.parametrize(
    ("revision", "remedy"),
    [
        pytest.param("0002", "Run `wakee-db upgrade`", id="behind"),
        pytest.param("9999", "The image is older than the schema: deploy a newer one", id="ahead"),
    ],
)
def test_database_at_another_migration(environment: Environment, revision: str, remedy: str):
    environment.execute("UPDATE alembic_version SET version_num = %s", [revision])
    try:
        cause = environment.cause("test-database", exit_code=2)
    finally:
        environment.execute("UPDATE alembic_version SET version_num = %s", [head_revision()])
    assert cause == f"the schema is at migration {revision}, this image expects {head_revision()}. {remedy}"


def test_database_read_only(environment: Environment):
    address = f"{environment.url('NEON_DATABASE_URL')}?options=-c%20default_transaction_read_only%3Don"
    cause = environment.but(NEON_DATABASE_URL=address).cause("test-database")
    assert cause == "cannot write to the database: cannot execute INSERT in a read-only transaction"


def test_database_with_a_lock_that_only_stops_writers(environment: Environment, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("wakee_health.probes.database.STATEMENT_SECONDS", 0.5)
    with (
        contextlib.closing(psycopg2.connect(environment.url("NEON_DATABASE_URL"))) as holder,
        holder.cursor() as cursor,
    ):
        # The lock is given back at last, should nobody lose patience with it.
        cursor.execute("SET idle_in_transaction_session_timeout = '10s'; LOCK TABLE emotion_labels IN EXCLUSIVE MODE")
        cause = environment.cause("test-database")
    assert cause.startswith(
        "the database closed the connection or canceled a query: canceling statement due to statement timeout"
    )


def test_stale_and_incomplete_rows_are_warnings(environment: Environment):
    environment.execute("UPDATE emotion_labels SET timestamp = now() AT TIME ZONE 'utc' - interval '20 days'")
    environment.execute("UPDATE emotion_labels SET user_boredom = NULL WHERE id = 1")
    assert environment.stage("test-database")["warnings"] == [
        "the newest annotation is 20.0 days old",
        "25.0% of the validated annotations lack a correction",
    ]


def test_storage_down(environment: Environment, closed_port: int):
    cause = environment.but(R2_ENDPOINT_URL=f"http://127.0.0.1:{closed_port}").cause("test-storage")
    assert cause.startswith(f"R2 cannot be reached for r2://{environment.store.bucket}/health/")


def test_storage_credentials(environment: Environment):
    cause = environment.but(R2_SECRET_ACCESS_KEY="an0ther").cause("test-storage", exit_code=2)
    assert cause.startswith("R2 rejected the credentials for r2://")
    assert "Check R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY" in cause


def test_storage_without_the_bucket(environment: Environment):
    cause = environment.but(R2_BUCKET_NAME="nowhere").cause("test-storage", exit_code=2)
    assert cause.startswith("the bucket of r2://nowhere/")
    assert cause.endswith(". Check R2_BUCKET_NAME")


def test_storage_orphans(environment: Environment):
    environment.store.delete(environment.store.uri("face-1.jpg"))
    assert environment.stage("test-storage", most_orphans=0.3)["warnings"] == [
        "1 of 4 sampled pictures are missing: face-1.jpg"
    ]
    assert environment.cause("test-storage") == "1 of 4 sampled pictures are not in the bucket, e.g. face-1.jpg"


def test_storage_does_not_need_the_database(environment: Environment, closed_port: int):
    result = _with_port(environment, closed_port).stage("test-storage")
    (warning,) = result["warnings"]
    assert warning.startswith("the pictures were not checked: cannot connect to the database within 1 s")


def test_probes_do_not_need_r2(environment: Environment, closed_port: int):
    without = environment.but(R2_ENDPOINT_URL=f"http://127.0.0.1:{closed_port}")
    for probe in ("test-api", "test-database", "test-app-sourcing", "test-model-hub"):
        assert without.stage(probe)["warnings"] == []


def test_hub_down(environment: Environment, closed_port: int):
    cause = environment.but(HF_ENDPOINT=f"http://127.0.0.1:{closed_port}").cause("test-model-hub")
    assert cause.startswith("the Hub cannot be reached for wakee/emotions: ConnectError: ")


def test_hub_silent(impatient: Environment, silent_port: int):
    cause = impatient.but(HF_ENDPOINT=f"http://127.0.0.1:{silent_port}").cause("test-model-hub")
    assert cause.startswith("the Hub cannot be reached for wakee/emotions: ReadTimeout: ")


def test_hub_without_the_repository(environment: Environment):
    cause = environment.but(HF_MODEL_REPO="wakee/nothing").cause("test-model-hub")
    assert cause.startswith("wakee/nothing does not exist on the Hub, or is hidden from the account of HF_TOKEN (404: ")


def test_hub_is_judged_without_the_others(environment: Environment, closed_port: int):
    nowhere = f"http://127.0.0.1:{closed_port}"
    alone = _with_port(environment, closed_port).but(WAKEE_API_URL=nowhere, MLFLOW_TRACKING_URI=nowhere)
    warnings = alone.stage("test-model-hub")["warnings"]
    assert [warning.partition(":")[0] for warning in warnings] == [
        "the API was not compared",
        "registry champion is not available",
        "is_production is not available",
    ]


def _with_port(environment: Environment, port: int) -> Environment:
    address = environment.url("NEON_DATABASE_URL")
    found = psycopg2.extensions.parse_dsn(address)["port"]
    return environment.but(NEON_DATABASE_URL=address.replace(f":{found}/", f":{port}/"))
