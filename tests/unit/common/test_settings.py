"""Settings fail with the variable's name and the remedy, and without the secret."""

import pytest
from wakee_common.errors import ConfigurationError
from wakee_common.redaction import redact
from wakee_common.settings import DatabaseSettings, R2Settings, RunContext, load

R2_VARIABLES = ("R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "R2_BUCKET_NAME")


def test_missing_variables_are_all_named(monkeypatch):
    for name in R2_VARIABLES:
        monkeypatch.delenv(name, raising=False)

    with pytest.raises(ConfigurationError) as error:
        load(R2Settings)

    assert all(name in str(error.value) for name in R2_VARIABLES)
    assert ".env" in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "address",
    [
        pytest.param("mysql://user:very-secret-password@host/database", id="another-scheme"),
        pytest.param("user:very-secret-password@host", id="no-scheme"),
        pytest.param("", id="empty"),
    ],
)
def test_a_wrong_database_address_is_named_but_not_shown(monkeypatch, address):
    monkeypatch.setenv("NEON_DATABASE_URL", address)

    with pytest.raises(ConfigurationError, match="NEON_DATABASE_URL") as error:
        load(DatabaseSettings)

    assert "very-secret-password" not in str(error.value)
    assert error.value.__cause__ is None


BUCKET = {
    "R2_ACCESS_KEY_ID": "key",
    "R2_SECRET_ACCESS_KEY": "secret",
    "R2_BUCKET_NAME": "wakee",
    "R2_ACCOUNT_ID": "abc",
}
DATABASE = {"NEON_DATABASE_URL": "postgresql://user:password@host/database"}
TIDIED = {
    "a line break after a key": (
        "R2_SECRET_ACCESS_KEY",
        "secret\n",
        lambda: load(R2Settings).secret_access_key,
        "secret",
    ),
    "no prefix": ("R2_PREFIX", "", lambda: str(load(R2Settings).root / "runs/"), "r2://wakee/runs/"),
    "a prefix": ("R2_PREFIX", "a/b/", lambda: str(load(R2Settings).root / "runs/"), "r2://wakee/a/b/runs/"),
    "blanks around a name": ("R2_BUCKET_NAME", " wakee ", lambda: load(R2Settings).bucket, "wakee"),
    "blanks around a number": ("R2_ATTEMPTS", " 3\n", lambda: load(R2Settings).attempts, 3),
    "an empty number": ("R2_ATTEMPTS", "", lambda: load(R2Settings).attempts, 6),
    "a blank number": ("DATABASE_LOCK_SECONDS", "", lambda: load(DatabaseSettings).lock_seconds, 60),
    "a slash after an endpoint": (
        "R2_ENDPOINT_URL",
        "http://s3:8333/",
        lambda: load(R2Settings).endpoint,
        "http://s3:8333",
    ),
}
REFUSED = {
    "quotes around a key": ("R2_SECRET_ACCESS_KEY", '"planted"', R2Settings, "quotes"),
    "quotes around a name": ("R2_BUCKET_NAME", "'wakee'", R2Settings, "quotes"),
    "a line break in a key": ("R2_SECRET_ACCESS_KEY", "plan\nted", R2Settings, "line break"),
    "a blank in a key": ("R2_ACCESS_KEY_ID", "plan ted", R2Settings, "whitespace"),
    "another alphabet in a key": ("R2_ACCESS_KEY_ID", "plänted", R2Settings, "ASCII"),
    "the bucket in the endpoint": ("R2_ENDPOINT_URL", "https://a.r2.example.org/wakee", R2Settings, "R2_BUCKET_NAME"),
    "an endpoint without a scheme": ("R2_ENDPOINT_URL", "s3.example.org", R2Settings, "http(s)://"),
    "an address for a bucket": ("R2_BUCKET_NAME", "r2://wakee", R2Settings, "valid bucket name"),
    "an address for an account": ("R2_ACCOUNT_ID", "https://abc.r2.example.org", R2Settings, "pattern"),
    "a prefix without a slash at its end": ("R2_PREFIX", "staging", R2Settings, "R2_PREFIX"),
    "a prefix with a slash at its start": ("R2_PREFIX", "/staging/", R2Settings, "R2_PREFIX"),
    "a prefix that leads out": ("R2_PREFIX", "../", R2Settings, "R2_PREFIX"),
    "only blanks": ("R2_BUCKET_NAME", "  ", R2Settings, "valid bucket name"),
    "a number of words": ("DATABASE_LOCK_SECONDS", "a minute", DatabaseSettings, "number"),
    "quotes around an address": ("NEON_DATABASE_URL", "'postgresql://u:planted@h/d'", DatabaseSettings, "quotes"),
    "a blank in an address": ("NEON_DATABASE_URL", "postgresql://u:plan ted@h/d", DatabaseSettings, "whitespace"),
}


@pytest.fixture
def variables(monkeypatch):
    for name, value in (BUCKET | DATABASE).items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("variables")
@pytest.mark.parametrize(("name", "value", "read", "expected"), TIDIED.values(), ids=TIDIED)
def test_what_surely_does_not_belong_to_a_value_is_left_out(monkeypatch, name, value, read, expected):
    monkeypatch.setenv(name, value)
    found = read()
    assert getattr(found, "get_secret_value", lambda: found)() == expected


@pytest.mark.usefixtures("variables")
@pytest.mark.parametrize(("name", "value", "kind", "words"), REFUSED.values(), ids=REFUSED)
def test_a_wrong_value_is_named_with_what_is_wrong(monkeypatch, name, value, kind, words):
    monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError) as error:
        load(kind)
    assert name in str(error.value)
    assert words in str(error.value)
    assert "planted" not in str(error.value)
    assert "\n" not in str(error.value)


def test_the_context_of_a_run_is_taken_as_it_is(monkeypatch):
    monkeypatch.setenv("WAKEE_RUN_ID", ' "my run" ')
    assert load(RunContext).run_id == ' "my run" '


def test_a_wrong_number_names_its_variable(monkeypatch):
    monkeypatch.setenv("WAKEE_TRY_NUMBER", "second")

    with pytest.raises(ConfigurationError, match="WAKEE_TRY_NUMBER"):
        load(RunContext)


def test_secrets_do_not_show_in_a_settings_repr(make_r2_settings):
    assert "test-secret" not in repr(make_r2_settings())


@pytest.mark.parametrize(
    ("settings", "endpoint"),
    [
        pytest.param(
            {"endpoint_url": "", "account_id": "abc"}, "https://abc.r2.cloudflarestorage.com", id="cloudflare"
        ),
        pytest.param({"endpoint_url": "http://s3:8333", "account_id": "abc"}, "http://s3:8333", id="another-server"),
    ],
)
def test_endpoint(make_r2_settings, settings, endpoint):
    assert make_r2_settings(**settings).endpoint == endpoint


def test_no_endpoint_at_all(make_r2_settings):
    with pytest.raises(ConfigurationError, match="R2_ACCOUNT_ID"):
        _ = make_r2_settings(endpoint_url="").endpoint


@pytest.mark.parametrize("spelling", ["p%40ss-w0rd", "p@ss-w0rd"], ids=["encoded", "decoded"])
def test_the_password_is_redacted_however_it_is_spelt(monkeypatch, spelling):
    monkeypatch.setenv("NEON_DATABASE_URL", "postgresql://user:p%40ss-w0rd@host/database")

    assert redact(f"said {spelling} aloud") == "said *** aloud"
