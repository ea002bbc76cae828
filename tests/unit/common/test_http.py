"""Requests to a server that does its worst: over in time, in bounded memory, and with no token to strangers."""

import gzip
import time

import httpx
import pytest
from wakee_common.http import MOST_REDIRECTS, BoundedClient, UnreadableAnswerError

from support.hostile_http import dripping, endless, http, saying, served
from support.memory import forget_peak, peak_mib
from support.ports import free_port

SECONDS = 1.0
LIMIT = 64 << 10
MUCH = b"x" * 65536
HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n"
BOMB = gzip.compress(bytes(64 << 20))

HOSTILE = {
    "huge-body": (endless(HEAD, MUCH), UnreadableAnswerError),
    "huge-chunked": (
        endless(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", b"10000\r\n" + MUCH + b"\r\n"),
        UnreadableAnswerError,
    ),
    "huge-headers": (endless(b"HTTP/1.1 200 OK\r\n", b"x: " + MUCH + b"\r\n"), httpx.RemoteProtocolError),
    "endless-100-continue": (endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), httpx.TimeoutException),
    "gzip-bomb": (saying(http(BOMB, content_encoding="gzip")), UnreadableAnswerError),
    "slow-head": (dripping(http(b"{}")), httpx.TimeoutException),
    "slow-body": (dripping(http(b"{}" * 100), 0.02), httpx.TimeoutException),
    "silence": (dripping(b"", 0), httpx.RemoteProtocolError),
    "cut": (saying(http(b"{}", content_length=100)), httpx.RemoteProtocolError),
    "not-http": (saying(b"SSH-2.0-OpenSSH_9.2\r\n"), httpx.RemoteProtocolError),
    "redirect-to-itself": (saying(http(status="302 Found", location="/again")), httpx.TooManyRedirects),
    "redirect-with-endless-body": (
        endless(b"HTTP/1.1 302 Found\r\nlocation: /again\r\ncontent-length: 1000000000000\r\n\r\n", MUCH),
        httpx.TooManyRedirects,
    ),
    "redirect-to-file": (saying(http(status="302 Found", location="file:///etc/passwd")), UnreadableAnswerError),
    "redirect-to-nonsense": (saying(http(status="302 Found", location="http://[::1")), httpx.HTTPError),
    "redirect-without-address": (saying(http(status="302 Found", location="")), httpx.TooManyRedirects),
}


@pytest.mark.parametrize(("script", "error"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_answer_is_an_error_in_time_and_bounded_memory(script, error):
    forget_peak()
    before, start = peak_mib(), time.monotonic()

    with served(script) as server:
        with BoundedClient(largest_answer=LIMIT, follow_redirects=True) as client, pytest.raises(error):
            client.request("GET", server.url, SECONDS)
        assert time.monotonic() - start < SECONDS + 1
        assert len(server.requests) <= MOST_REDIRECTS + 1

    assert peak_mib() - before < 16


@pytest.mark.parametrize("charset", ["zlib", "hex", "idna", "no-such", "utf-7"])
def test_the_server_chooses_no_decoder(charset):
    with (
        served(saying(http(b"<title>\xff", kind=f"text/html; charset={charset}"))) as server,
        BoundedClient(largest_answer=LIMIT) as client,
    ):
        answer = client.request("GET", server.url, 5)

    assert (answer.text, answer.headers["content-type"]) == ("<title>\ufffd", "text/html")


def test_a_token_does_not_follow_to_another_origin():
    with served(saying(http(b"{}"))) as stranger:
        away = http(status="307 Temporary Redirect", location=f"{stranger.url}/take")
        headers = {"authorization": "Bearer secret"}
        with (
            served(saying(away)) as server,
            BoundedClient(largest_answer=LIMIT, headers=headers, follow_redirects=True) as client,
        ):
            assert client.request("POST", server.url, 5, json={}).status_code == 200

        assert b"Bearer secret" in server.requests[0]
        assert len(stranger.requests) == 1
        assert b"secret" not in stranger.requests[0]


def test_redirects_are_followed_only_when_asked_for():
    with (
        served(saying(http(status="302 Found", location="/again"))) as server,
        BoundedClient(largest_answer=LIMIT) as client,
    ):
        assert client.request("GET", server.url, 5).status_code == 302
        assert len(server.requests) == 1


def test_a_server_that_refuses_a_new_pod(refused_at_first):
    with served(saying(http(b"[1]"))) as server, BoundedClient(largest_answer=LIMIT) as client:
        late = refused_at_first(server.url)

        assert client.request("POST", late, 10, files={"file": ("a", b"content")}).json() == [1]

    assert len(server.requests) == 1


def test_a_request_that_is_refused_again_does_not_run_out_of_time(aged):
    aged(0, retries_until=3)
    with BoundedClient(largest_answer=LIMIT) as client, pytest.raises(httpx.ConnectError, match="Connection refused"):
        client.request("GET", f"http://127.0.0.1:{free_port()}", 2)


def test_a_client_goes_on_after_a_hostile_answer():
    with served(dripping(http(b"{}"))) as server, BoundedClient(largest_answer=LIMIT) as client:
        with pytest.raises(httpx.TimeoutException):
            client.request("GET", server.url, 0.2)
        server.script = saying(http(b"[1]"))

        assert client.request("GET", server.url, 5).json() == [1]
