"""A webhook that does not take an alert at once, or at all: nothing is called sent that was not taken."""

import pytest

from support.hostile_http import http, served
from wakee.notifications import Channels, Message

ALERT = Message("[Wakee] a test", ("run a-run",), "http://airflow.example/")
MOVED = http(status="301 Moved", location="https://new.example/T0/s3cret")
AWAY = http(status="503 Unavailable", retry_after="0")
REFUSALS = {
    "moved": (MOVED, 1, "it answered 301 with a redirect to new.example. Set WAKEE_ALERT_WEBHOOK"),
    "gone": (http(status="410 Gone"), 1, "it answered 410, 1 time"),
    "away": (AWAY, 3, "it answered 503, 3 times"),
}


def answering(*answers):
    """A script that gives these answers in turn, the last one for ever."""
    left = list(answers)
    return lambda connection, _stop: connection.sendall(left.pop(0) if len(left) > 1 else left[0])


def send_to(server):
    Channels(emails=(), webhook=f"{server.url}/services/s3cret").send(ALERT)


@pytest.mark.parametrize(("answer", "requests", "words"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_named_and_nothing_is_called_sent(caplog, answer, requests, words):
    caplog.set_level("INFO")
    with served(answering(answer)) as server:
        send_to(server)
    assert [request.split()[0] for request in server.requests] == [b"POST"] * requests
    assert f"cannot send the alert by webhook: {words}" in caplog.text
    assert "alert sent" not in caplog.text
    assert "s3cret" not in caplog.text


@pytest.mark.parametrize("status", ["429 Too Many", "503 Unavailable"])
def test_a_webhook_that_asks_for_a_moment_is_asked_again(caplog, status):
    caplog.set_level("INFO")
    with served(answering(http(status=status, retry_after="0"), http(b"ok"))) as server:
        send_to(server)
    assert len(server.requests) == 2
    assert caplog.text.count("alert sent by webhook") == 1
