"""Whatever a service answers, its probe says in one line what is wrong, in time; the summary takes it, too."""

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wakee_common.errors import WakeeError

from support.hostile_http import dripping, endless, http, jsoned, saying, served
from support.strategies import bodies, json_values

from ..environment import CHECKS, Environment

HEALTHY = {"status": "healthy", "model_loaded": True}
MUCH = b"x" * 65536

WRONG = {
    "huge": (endless(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n", MUCH), "too long"),
    "deep": (saying(http(b"[" * 100_000)), "did not answer with a JSON object"),
    "no-json": (saying(http(b"<html>", kind="text/html")), "did not answer with a JSON object"),
    "list": (saying(jsoned([HEALTHY])), "did not answer with a JSON object"),
    "number": (saying(http(b"NaN")), "did not answer with a JSON object"),
    "compressed": (saying(http(b"\x1f\x8b", content_encoding="gzip")), "compressed"),
    "novel": (saying(jsoned(HEALTHY | {"runtime": "x" * 10_000})), "runtime: string should have at most"),
    "nul": (saying(jsoned(HEALTHY | {"runtime": "\x00"})), "runtime: string should match"),
    "half-an-emoji": (saying(jsoned(HEALTHY | {"model_revision": "\ud83d"})), "model_revision: "),
    "wrong-types": (saying(jsoned({"status": {}, "model_loaded": []})), "status: "),
    "circle": (saying(http(status="302 Found", location="/health")), "redirects"),
    "to-a-file": (saying(http(status="302 Found", location="file:///etc/passwd")), "not HTTP"),
    "not-http": (saying(b"220 mail ESMTP\r\n"), "cannot be reached"),
    "slow-head": (dripping(http(b"{}")), "no answer within 0.5 s"),
    "slow-body": (dripping(http(b"{}" * 500), 0.01), "no answer within 0.5 s"),
}


@pytest.mark.parametrize(("script", "cause"), WRONG.values(), ids=WRONG)
def test_the_api(impatient: Environment, script, cause):
    with served(script) as server:
        start = time.monotonic()
        found = impatient.but(WAKEE_API_URL=server.url).cause("test-api")

    assert cause in found
    assert found.isprintable()
    assert time.monotonic() - start < 5


@pytest.mark.parametrize("levels", [1e308, float("nan"), "1.0", True, None, -0.1], ids=str)
def test_predictions_that_are_none(impatient: Environment, levels):
    answer = jsoned(HEALTHY | dict.fromkeys(("boredom", "confusion", "engagement", "frustration"), levels))
    with served(saying(answer)) as server:
        found = impatient.but(WAKEE_API_URL=server.url).cause("test-api")

    assert found.startswith("the API: POST /predict breaks the contract: boredom: ")


@pytest.mark.parametrize("charset", ["zlib", "hex", "idna"])
def test_the_page_chooses_no_decoder(impatient: Environment, charset):
    page = http(b"<html><title>ok", kind=f"text/html; charset={charset}")
    with served(saying(page)) as server:
        found = impatient.but(APP_SOURCING_URL=server.url).cause("test-app-sourcing")

    assert found.startswith("the sourcing page: Streamlit's health is ")


REGISTRY = {
    "no-version": [],
    "version-null": {"model_version": None},
    "tags-null": {"model_version": {"tags": None}},
    "tags-numbers": {"model_version": {"tags": [1]}},
    "key-null": {"model_version": {"tags": [{"key": None}]}},
    "nothing": {},
}
NO_VERSIONS = {"missing": {}, "list": {"value": []}, "novel": {"value": "v" * 5000}, "markup": {"value": "<script>\0"}}


@pytest.mark.parametrize("answer", REGISTRY.values(), ids=REGISTRY)
def test_the_registry_only_warns(environment: Environment, answer):
    with served(saying(jsoned(answer))) as server:
        result = environment.but(MLFLOW_TRACKING_URI=server.url).stage("test-model-hub")

    assert any("registry champion" in warning for warning in result["warnings"])


@pytest.mark.parametrize("value", NO_VERSIONS.values(), ids=NO_VERSIONS)
def test_a_champion_that_is_no_version_of_ours_is_none(environment: Environment, value):
    answer = {"model_version": {"tags": [{"key": "wakee.version", **value}]}}
    with served(saying(jsoned(answer))) as server:
        cause = environment.but(MLFLOW_TRACKING_URI=server.url).cause("test-model-hub")

    assert ", registry champion none, " in cause


def test_the_registrys_token_stays_with_it(environment: Environment):
    with served(saying(jsoned({}))) as stranger:
        away = saying(http(status="302 Found", location=f"{stranger.url}/"))
        with served(away) as registry:
            hostile = environment.but(MLFLOW_TRACKING_URI=registry.url, MLFLOW_TRACKING_TOKEN="very-secret")
            hostile.stage("test-model-hub")

        assert b"very-secret" in registry.requests[0]
        assert stranger.requests
        assert not any(b"very-secret" in request for request in stranger.requests)


@pytest.mark.parametrize("url", ["https://[::1", "https://host:99999", f"https://{'a' * 64}.example", "https://\x7f"])
def test_addresses_that_are_none(environment: Environment, url):
    result = environment.but(WAKEE_API_URL=url).stage("test-api", exit_code=1 if "example" in url else 2)

    assert result["cause"].isprintable()


@pytest.mark.parametrize("moment", ["infinity", "-infinity", "294276-12-31", "4713-01-01 BC", "9999-12-31"])
def test_annotations_of_impossible_times(environment: Environment, moment):
    environment.execute("UPDATE emotion_labels SET timestamp = %s WHERE id = 1", [moment])

    assert 0 <= environment.stage("test-database")["facts"]["newest_annotation_days"] < 1

    environment.execute("UPDATE emotion_labels SET timestamp = %s", [moment])
    json.dumps(environment.stage("test-database"), allow_nan=False)


@pytest.mark.parametrize("path", ["../../etc/passwd", "./a", "", "😀" * 500, "\n", "\x01", "//", "a\x7f/\ufffe"])
def test_a_picture_with_a_hostile_path_is_missing(environment: Environment, path):
    environment.execute("UPDATE emotion_labels SET s3_path = %s WHERE id = 1", [path])

    result = environment.stage("test-storage", most_orphans=1)

    assert result["facts"]["orphans"] == 1
    assert len(json.dumps(result)) < 4096


def test_a_value_that_the_database_cannot_hold_does_not_end_the_summary(environment: Environment):
    checks = {name: {"state": "success", "result": {"status": "success"}} for name in CHECKS}
    checks["test_api"]["result"]["facts"] = {"runtime": "\x00"}

    result = environment.summary(checks, run_id="nul")

    assert result["rows"] == 0
    assert any("cannot store a value" in warning for warning in result["warnings"])


healthy = st.one_of(st.just("healthy"), json_values)
answers = bodies(like=st.fixed_dictionaries({"status": healthy, "model_loaded": json_values, "runtime": json_values}))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=answers)
def test_any_answer_is_health_or_one_of_our_errors(answer):
    from wakee_health.probes.api import health
    from wakee_health.probes.web import Site

    with served(saying(http(answer))) as server, Site("the API", server.url, 5) as site:
        try:
            told = health(site).runtime
        except WakeeError as error:
            told = str(error)

    assert len(told.splitlines()) <= 1
