"""Secrets that are set with blanks, line breaks and raw separators: none of their pieces leaves a stage."""

import re

import pytest

from .environment import Environment

TOKEN = "hf_planted0Token1Of2Nobody"


def exits(environment: Environment, name: str, exit_code: int) -> str:
    """Everything that a run of a stage leaves: log, XCom and termination log (in the result), record in R2."""
    run_id = f"secrets-{name}"
    result = environment.stage(name, exit_code, run_id)
    record = environment.store.uri(f"runs/health_check_weekly/{run_id}/{name.replace('-', '_')}/result.json")
    kept = environment.store.get_bytes(record).decode() if environment.store.exists(record) else ""
    return f"{environment.logs[-1]} {result} {kept}"


TOKENS = {
    "line break": f"{TOKEN}\n",
    "blank": f" {TOKEN}",
    "quotes": f'"{TOKEN}"',
    "line break inside": f"{TOKEN}\n{TOKEN}",
}
PASSWORDS = {"p@ss-w0rd": 1, "p:ss-w0rd": 1, "p/ss-w0rd": 2, "p?ss-w0rd": 1}


@pytest.mark.parametrize("token", TOKENS.values(), ids=TOKENS)
def test_a_token_that_is_not_clean(environment: Environment, token: str):
    assert TOKEN not in exits(environment.but(HF_TOKEN=token), "test-model-hub", exit_code=2)


def test_what_surely_does_not_belong_to_a_token_is_left_out(environment: Environment):
    token = environment.variables["HF_TOKEN"]
    assert environment.but(HF_TOKEN=f" {token}\n").stage("test-model-hub")["status"] == "success"


@pytest.mark.parametrize(("password", "exit_code"), PASSWORDS.items(), ids=PASSWORDS)
def test_a_password_with_a_raw_separator(environment: Environment, password: str, exit_code: int):
    address = f"postgresql://wakee:{password}@db.example.invalid/wakee"
    broken = environment.but(NEON_DATABASE_URL=address, DATABASE_WAKE_UP_SECONDS="1")

    text = exits(broken, "test-database", exit_code)

    assert not [piece for piece in re.split("[@:/?]", password) if len(piece) > 1 and piece in text]
