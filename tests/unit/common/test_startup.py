"""Refused connections are retried while the process is young, and nothing else is."""

import errno
import logging
import socket
import time
import urllib.request

import httpx
import psycopg2
import pytest
from wakee_common import startup
from wakee_common.errors import ConfigurationError
from wakee_common.http import BoundedClient
from wakee_common.startup import is_refused, process_age, retry_refused, wait_for_policies
from wakee_common.storage import ObjectStore

from support.ports import free_port


@pytest.fixture
def closed_port():
    return free_port()


def bounded(port, host="127.0.0.1"):
    with BoundedClient(largest_answer=1) as client:
        client.request("GET", f"http://{host}:{port}", 5)


CLIENTS = {
    "socket": lambda port, _: socket.create_connection(("127.0.0.1", port)),
    "urllib": lambda port, _: urllib.request.urlopen(f"http://127.0.0.1:{port}"),
    "httpx": lambda port, _: httpx.get(f"http://127.0.0.1:{port}"),
    "bounded-client": lambda port, _: bounded(port),
    "two-addresses": lambda port, _: bounded(port, "localhost"),
    "psycopg2": lambda port, _: psycopg2.connect(f"postgresql://127.0.0.1:{port}/x"),
    "boto3": lambda port, r2: list(ObjectStore(r2(endpoint_url=f"http://127.0.0.1:{port}")).list_keys("")),
}


@pytest.mark.parametrize("call", CLIENTS.values(), ids=CLIENTS)
def test_every_clients_refusal_is_known(call, closed_port, make_r2_settings):
    with pytest.raises(Exception) as error:  # noqa: PT011 - each has its own
        call(closed_port, make_r2_settings)

    assert is_refused(error.value)


@pytest.mark.parametrize(
    "error",
    [
        pytest.param(TimeoutError(errno.ETIMEDOUT, "Connection timed out"), id="timeout"),
        pytest.param(OSError(errno.EHOSTUNREACH, "No route to host"), id="no-route"),
        pytest.param(ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"), id="reset"),
        pytest.param(psycopg2.OperationalError("the database system is starting up"), id="starting-up"),
        pytest.param(ExceptionGroup("two", [ValueError("no"), TimeoutError()]), id="group"),
    ],
)
def test_other_errors_are_no_refusals(error, first_seconds):
    calls = []

    def fail():
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        retry_refused(fail)
    assert len(calls) == 1


def test_a_refused_connection_is_retried_and_logged_once(refused_at_first, caplog):
    caplog.set_level(logging.INFO)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = refused_at_first(f"tcp://127.0.0.1:{server.getsockname()[1]}")
        port = int(address.rpartition(":")[2])
        retry_refused(socket.create_connection, ("127.0.0.1", port), timeout=5).close()

    assert [record.levelname for record in caplog.records] == ["INFO"]
    assert "Connection refused" in caplog.text


def test_the_error_goes_on_once_the_first_seconds_are_over(closed_port, aged):
    aged(0, retries_until=0.7)
    start = time.monotonic()

    with pytest.raises(ConnectionRefusedError):
        retry_refused(socket.create_connection, ("127.0.0.1", closed_port))

    assert 0.7 <= time.monotonic() - start < 2


def test_an_old_process_waits_for_nobody(closed_port, aged):
    aged(16, retries_until=15)
    start = time.monotonic()

    with pytest.raises(ConnectionRefusedError):
        retry_refused(socket.create_connection, ("127.0.0.1", closed_port))

    assert time.monotonic() - start < 0.4


def test_a_stage_that_must_stop_waits_for_nobody(closed_port, first_seconds):
    startup.allow_retries(False)
    start = time.monotonic()

    with pytest.raises(ConnectionRefusedError):
        retry_refused(socket.create_connection, ("127.0.0.1", closed_port))

    assert time.monotonic() - start < 0.4


def test_a_wrong_setting_is_named(closed_port, monkeypatch):
    monkeypatch.setenv("WAKEE_STARTUP_RETRY_SECONDS", "-1")

    with pytest.raises(ConfigurationError, match="WAKEE_STARTUP_RETRY_SECONDS"):
        retry_refused(socket.create_connection, ("127.0.0.1", closed_port))


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.3])
def test_waiting_ends_at_the_age(seconds):
    start = time.monotonic()

    wait_for_policies(process_age() + seconds)

    assert max(0, seconds) - 0.05 <= time.monotonic() - start < max(0, seconds) + 0.3
