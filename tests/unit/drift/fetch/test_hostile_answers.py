"""Whatever the API answers, the comparison is one line in the report, in time, and stops nothing."""

import json
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from wakee_drift.fetch import api_comparison

from support.hostile_http import dripping, endless, http, jsoned, saying, served
from support.strategies import bodies, json_values

SCORES = {"boredom": 1.0, "confusion": 1.0, "engagement": 1.0, "frustration": 1.0}
MUCH = b"x" * 65536

WRONG = {
    "huge": endless(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n", MUCH),
    "no-json": saying(http(b"<html>", kind="text/html")),
    "deep": saying(http(b"[" * 60_000)),
    "list": saying(jsoned([SCORES])),
    "null": saying(jsoned(None)),
    "text-for-number": saying(jsoned(SCORES | {"boredom": "1.0"})),
    "bool-for-number": saying(jsoned(SCORES | {"boredom": True})),
    "nan": saying(jsoned(SCORES | {"boredom": float("nan")})),
    "infinite": saying(jsoned(SCORES | {"boredom": float("-inf")})),
    "sum-overflows": saying(jsoned(dict.fromkeys(SCORES, 1.7e308))),
    "off-the-scale": saying(jsoned(SCORES | {"boredom": 3.6})),
    "nul": saying(http(b'{"boredom": "\\u0000"}\x00')),
    "half-an-emoji": saying(http(b'{"boredom": "\\ud83d"}')),
    "redirect": saying(http(status="302 Found", location="http://127.0.0.1:9/")),
    "not-http": saying(b"220 mail ESMTP\r\n"),
}


@pytest.fixture
def pairs(annotations, pipeline, pod):
    """Twelve annotations with pictures; returns what fetch-annotations said."""
    annotations.add([[1, 1, 1, 1]] * 12, [[1, 1, 1, 1]] * 12)
    for index in range(12):
        pod.store.put_bytes(pod.store.uri(f"p{index}.jpg"), b"picture")
    return pipeline.fetch()


@pytest.mark.parametrize("script", WRONG.values(), ids=WRONG)
def test_a_hostile_answer_is_noted(pairs, pipeline, monkeypatch, script):
    with served(script) as server:
        monkeypatch.setenv("WAKEE_API_URL", server.url)
        loaded = pipeline.load(pairs)

    comparison = loaded["api_comparison"]
    assert (loaded["status"], loaded["rows"], comparison["status"]) == ("success", 12, "unavailable")
    assert comparison["cause"].isprintable()
    assert len(server.requests) == 3


@pytest.mark.parametrize("answer", [http(b"{}" * 50), b"HTTP/1.1 200 OK\r\n" * 50], ids=["body", "head"])
def test_a_slow_loris_costs_no_more_than_its_time(pairs, pipeline, monkeypatch, answer):
    monkeypatch.setattr(api_comparison, "ANSWER_SECONDS", 0.5)
    start = time.monotonic()
    with served(dripping(answer)) as server:
        monkeypatch.setenv("WAKEE_API_URL", server.url)
        comparison = pipeline.load(pairs)["api_comparison"]

    assert "no complete answer within 0.5 s" in comparison["cause"]
    assert time.monotonic() - start < 3 * 0.5 + 3


def test_all_answers_together_have_their_time(pairs, pipeline, monkeypatch):
    monkeypatch.setattr(api_comparison, "TOTAL_SECONDS", 1.0)
    with served(dripping(http(b"{}" * 50))) as server:
        monkeypatch.setenv("WAKEE_API_URL", server.url)
        start = time.monotonic()
        assert pipeline.load(pairs)["api_comparison"]["status"] == "unavailable"

    assert time.monotonic() - start < 5


def test_the_report_of_a_hostile_answer_is_saved(pairs, pipeline, annotations, monkeypatch):
    with served(WRONG["nul"]) as server:
        monkeypatch.setenv("WAKEE_API_URL", server.url)
        loaded = pipeline.load(pairs)
    calculated = pipeline.calculate(loaded)

    pipeline.save(calculated, pipeline.report(loaded, calculated))

    [(document,)] = annotations.execute("SELECT report_json FROM drift_reports")
    assert document["provenance"]["api_comparison"]["cause"]


answers = bodies(like=st.fixed_dictionaries(dict.fromkeys(SCORES, st.one_of(st.floats(), json_values))))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answer=answers)
def test_any_answer_is_compared_or_noted(pod, answer):
    import pyarrow as pa

    pod.store.put_bytes(pod.store.uri("p.jpg"), b"picture")
    row = {"s3_path": ["p.jpg"]} | {f"predicted_{emotion}": [1.0] for emotion in SCORES}
    with served(saying(http(answer))) as server:
        api = api_comparison.ApiSettings(url=server.url)
        comparison = api_comparison.compare_with_api(pod.store, api, pa.table(row))

    json.dumps(comparison.model_dump(mode="json"), allow_nan=False)
    assert comparison.status in ("compared", "unavailable")
    assert all(0 <= value <= 2.5 for value in comparison.max_abs_difference.values())
