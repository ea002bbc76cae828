"""The comparison with the model that answers now: against a real HTTP server that behaves, and that doesn't."""

import json
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

SCORES = {"boredom": 1.0, "confusion": 1.25, "engagement": 1.0, "frustration": 0.5, "timestamp": "2026-03-31T00:00:00"}


@pytest.fixture
def serve_api(monkeypatch):
    """Start an API that answers `POST /predict` as told; returns the bodies it was sent."""
    servers = []

    def serve(status: int = 200, answer: bytes = json.dumps(SCORES).encode()) -> list[bytes]:
        received: list[bytes] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                received.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(status if self.path == "/predict" else 404)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                """Stay silent."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        servers.append(server)
        monkeypatch.setenv("WAKEE_API_URL", f"http://127.0.0.1:{server.server_port}/")
        return received

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def compare(annotations, pipeline, pod) -> Callable[..., dict]:
    """Load predictions (1 for every emotion) with pictures in R2; returns the comparison."""

    def run(pictures: int = 12, **flags) -> dict:
        annotations.add([[1, 1, 1, 1]] * 12, [[1, 1, 1, 1]] * 12)
        for index in range(pictures):
            pod.store.put_bytes(pod.store.uri(f"p{index}.jpg"), f"picture {index}".encode())
        loaded = pipeline.load(pipeline.fetch(), **flags)
        assert (loaded["status"], loaded["rows"]) == ("success", 12)
        return dict(loaded["api_comparison"])

    return run


def test_differences_are_measured(pod, compare, serve_api):
    received = serve_api()

    found = compare(api_sample=5)

    assert (found["status"], found["n"], found["failed"]) == ("compared", 5, 0)
    assert found["mean_abs_difference"] == {"boredom": 0, "confusion": 0.25, "engagement": 0, "frustration": 0.5}
    assert found["max_abs_difference"]["confusion"] == 0.25
    assert len(received) == 5
    assert all(b'name="file"' in body and b"image/jpeg" in body and b"picture " in body for body in received)


@pytest.mark.parametrize("sample", [0, 16])
def test_without_an_api_or_a_wish_nothing_is_asked(compare, serve_api, monkeypatch, sample):
    received = serve_api()
    if sample:
        monkeypatch.delenv("WAKEE_API_URL")

    assert compare(api_sample=sample)["status"] == "not_configured"
    assert received == []


def test_missing_pictures_are_counted(compare, serve_api):
    serve_api()

    found = compare(pictures=11, api_sample=12)

    assert (found["status"], found["n"], found["failed"]) == ("compared", 11, 1)
    assert "no such object" in found["cause"]


@pytest.mark.parametrize(
    ("status", "answer", "cause"),
    [
        pytest.param(503, b"{}", "503", id="model-not-loaded"),
        pytest.param(400, b"{}", "400", id="not-an-image"),
        pytest.param(302, b"", "302", id="redirect"),
        pytest.param(200, b"<html>", "ValidationError", id="no-json"),
        pytest.param(200, b'{"boredom": 1}', "ValidationError", id="three-scores-missing"),
        pytest.param(200, json.dumps({**SCORES, "boredom": float("nan")}).encode(), "ValidationError", id="nan"),
        pytest.param(200, b" " * 70_000 + b"{}", "too long", id="too-long"),
    ],
)
def test_a_wrong_answer_is_noted_and_asked_for_no_longer(compare, serve_api, status, answer, cause):
    received = serve_api(status, answer)

    found = compare()

    assert (found["status"], found["n"]) == ("unavailable", 0)
    assert cause in found["cause"]
    assert len(received) == 3


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9", "http://no-such-host.invalid", "not an address", "ftp://example.invalid", "http://[::1"],
)
def test_an_api_that_cannot_be_reached_is_noted(compare, monkeypatch, url):
    monkeypatch.setenv("WAKEE_API_URL", url)

    found = compare()

    assert found["status"] == "unavailable"
    assert found["cause"]


def test_pictures_with_hostile_paths_are_counted(annotations, pipeline, pod, serve_api):
    serve_api()
    pod.store.put_bytes(pod.store.uri("good.jpg"), b"picture")
    for name in ("../../etc/passwd", "", "a/../../b", "good.jpg"):
        annotations.add([[1, 1, 1, 1]], [[1, 1, 1, 1]], img_name=name, s3_path=name)

    found = pipeline.load(pipeline.fetch(min_samples=1))["api_comparison"]

    assert (found["n"], found["failed"]) == (1, 3)
