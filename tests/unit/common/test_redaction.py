"""Secrets are recognised in every spelling in which a library may repeat them, and other words are left alone."""

import html
import json
import re
from urllib.parse import quote

import psycopg2
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from wakee_common.errors import one_line
from wakee_common.redaction import redact, redacted

TOKEN = "hf_" + "Xy7" * 8
SPELLINGS = {
    "as it is": TOKEN,
    "in a header": repr(f"Bearer {TOKEN}\n".encode()),
    "in JSON": json.dumps({"token": f"{TOKEN}\n"}),
    "percent-encoded": quote(f"{TOKEN}\n", safe=""),
    "in HTML": html.escape(f"<{TOKEN}>"),
}

VALUES = {"plain": TOKEN, "line": f"{TOKEN}\n", "blanks": f" {TOKEN} ", "quotes": f'"{TOKEN}"'}
VARIABLES = ["HF_TOKEN", "MLFLOW_TRACKING_TOKEN", "R2_SECRET_ACCESS_KEY", "MLFLOW_TRACKING_PASSWORD"]


@pytest.mark.parametrize("spelling", SPELLINGS.values(), ids=SPELLINGS)
@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
@pytest.mark.parametrize("variable", VARIABLES)
def test_a_token_is_recognised_however_it_is_set_and_written(monkeypatch, variable, value, spelling):
    monkeypatch.setenv(variable, value)
    assert TOKEN not in redact(f"illegal header value: {spelling}")


PASSWORDS = ["p@ssw0rd", "pass/w0rd", "pa:ss-w0rd", "pass?w0rd", "p@s/s:w?rd", "p%40ssw0rd", "s3cret", "ab@cd", "p@ss"]


@pytest.mark.parametrize("password", PASSWORDS)
def test_what_libpq_says_of_an_address_holds_no_piece_of_the_password(monkeypatch, password):
    address = f"postgresql://someone:{password}@db.example.invalid/wakee"
    monkeypatch.setenv("NEON_DATABASE_URL", address)
    with pytest.raises(psycopg2.Error) as error:
        psycopg2.connect(address, connect_timeout=1)

    said = one_line(error.value)

    pieces = [piece for piece in {password, *re.split("[@/:?]", password)} if len(piece) > 1]
    assert not [piece for piece in pieces if f'"{piece}' in said or f"{piece}@" in said]


@pytest.mark.parametrize("text", ["https://user:s3cret@mlflow.example.org/api", "redis://:s3cret@cache:6379/0"])
def test_user_and_password_of_any_address_are_blotted_out(text):
    assert "s3cret" not in redact(f"cannot reach {text}")


@pytest.mark.parametrize(
    "text",
    [
        "r2://bucket/pictures/someone@home.jpg",
        "started from wakee/model@1fe981fb",
        "https://huggingface.co/wakee/model/resolve/main/model.onnx",
        "success after 12 s: process, password, class",
    ],
)
def test_other_texts_stay(monkeypatch, text):
    monkeypatch.setenv("NEON_DATABASE_URL", "postgresql://u:p@ss@host.example.org/db")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert redact(text) == text


def test_json_values_are_redacted_at_any_depth(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert redacted({"a": [1, {"b": f"x {TOKEN}"}, None]}) == {"a": [1, {"b": "x ***"}, None]}


def test_an_address_of_ours_stays_whatever_the_password_is(monkeypatch):
    monkeypatch.setenv("NEON_DATABASE_URL", "postgresql://wakee:wakee@host/wakee")
    assert redacted({"uri": "r2://wakee-bucket/runs/a.json"}) == {"uri": "r2://wakee-bucket/runs/a.json"}


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    secret=st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=8).filter(
        lambda s: len(s.strip()) >= 8
    )
)
def test_any_secret_is_found_in_its_common_spellings(monkeypatch, secret):
    assume(len(secret.strip()) >= 8)
    monkeypatch.setenv("HF_TOKEN", secret)
    for written in (secret, secret.strip(), quote(secret, safe=""), json.dumps(secret), repr(secret)):
        assert secret.strip() not in redact(f"<{written}>")


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "text", ["[" * 4_000_000, "a.b-" * 1_000_000, "a@" * 2_000_000, "x" * 4_000_000], ids=lambda t: t[:4]
)
def test_a_long_text_takes_no_longer_than_its_length(monkeypatch, text):
    monkeypatch.setenv("NEON_DATABASE_URL", "postgresql://u:p@ss@host.example.org/db")
    assert redact(text) == text
