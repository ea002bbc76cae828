"""Each port of the fault server misbehaves as it says."""

import functools
import socket
import struct
import threading
import time
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from wakee_sandbox.fault_server import MODES

from .conftest import open_directory, sandbox_service


@pytest.fixture(scope="module")
def behind(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A web server with a small and a large file."""
    folder = tmp_path_factory.mktemp("behind")
    (folder / "small").write_bytes(b"x" * 100)
    (folder / "large").write_bytes(b"x" * 1_000_000)
    handler = functools.partial(SimpleHTTPRequestHandler, directory=folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module", autouse=True)
def log(behind: str) -> Iterator[Path]:
    """The server's log, while it serves."""
    with open_directory() as folder:
        path = Path(folder) / "fault-server.log"
        service = sandbox_service(["fault-server"], {"FAULT_SERVER_TARGET": behind}, path)
        service.start().wait_for_answer(_url("nonsense"))
        yield path
        service.stop()


def _url(mode: str) -> str:
    return f"http://127.0.0.1:{MODES[mode][0]}/any/path"


def _ask(mode: str, body: bytes = b"") -> httpx.Response:
    return httpx.post(_url(mode), content=body, timeout=1)


@pytest.mark.parametrize(("mode", "status"), [("unavailable", 503), ("limited", 429), ("nonsense", 200)])
def test_answers(mode: str, status: int):
    assert _ask(mode).status_code == status


def test_a_large_upload_sees_the_answer():
    assert _ask("unavailable", b"x" * 5_000_000).status_code == 503


def test_silence():
    with pytest.raises(httpx.ReadTimeout):
        _ask("silent")


def test_half_an_answer():
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete message body"):
        _ask("cut")


def _get(mode: str, path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{MODES[mode][0]}/{path}", timeout=30)


def test_a_slow_service_is_slow_and_whole():
    started = time.monotonic()
    assert len(_get("slow", "large").content) == 1_000_000
    assert time.monotonic() - started > 3


def test_a_severed_connection_breaks_in_the_middle():
    assert len(_get("severed", "small").content) == 100
    with pytest.raises(httpx.TransportError):
        _get("severed", "large")


@pytest.mark.parametrize("mode", MODES)
def test_clients_that_go_away_leave_no_traceback(mode: str, log: Path):
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", MODES[mode][0])) as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))  # ends with a reset
            client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.05)
    assert _ask("nonsense").status_code == 200

    assert "Traceback" not in log.read_text()
