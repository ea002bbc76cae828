"""A server that sends configured bytes at a configured pace in response to every request."""

import contextlib
import json
import socket
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread

Script = Callable[[socket.socket, Event], None]


def http(body: bytes = b"", status: str = "200 OK", kind: str = "application/json", **headers: object) -> bytes:
    """Create a complete response. Underscores in header names become dashes."""
    given = {"content-type": kind, "content-length": len(body), "connection": "close"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = [f"HTTP/1.1 {status}", *(f"{name}: {value}" for name, value in given.items()), "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


def jsoned(answer: object) -> bytes:
    """Create a JSON response. It may contain NaN and lone surrogates."""
    return http(json.dumps(answer).encode())


def saying(answer: bytes) -> Script:
    """Send the whole response immediately."""
    return lambda connection, _stop: connection.sendall(answer)


def endless(head: bytes, piece: bytes) -> Script:
    """Send the head, then the piece repeatedly, as fast as the client reads."""

    def script(connection: socket.socket, stop: Event) -> None:
        connection.sendall(head)
        while not stop.is_set():
            connection.sendall(piece)

    return script


def dripping(answer: bytes, pause: float = 0.1) -> Script:
    """Send one byte at a time with pauses, so that no single read times out."""

    def script(connection: socket.socket, stop: Event) -> None:
        for byte in answer:
            if stop.is_set():
                return
            connection.sendall(bytes([byte]))
            time.sleep(pause)

    return script


class Hostile:
    """A running server: its URL, the requests that it received, and how much of its responses was read."""

    def __init__(self, script: Script) -> None:
        self.script, self.requests = script, list[bytes]()
        self._stop, self._listener = Event(), socket.create_server(("127.0.0.1", 0))
        self._threads = [Thread(target=self._serve, daemon=True)]
        self._threads[0].start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def close(self) -> None:
        self._stop.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(10)

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._threads.append(Thread(target=self._answer, args=(connection,), daemon=True))
                self._threads[-1].start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self.requests.append(_read(connection))
            self.script(connection, self._stop)


def _read(connection: socket.socket) -> bytes:
    """Read a whole request, so that closing the socket does not send a reset."""
    connection.settimeout(5)
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    missing = int(lengths[0].partition(b":")[2]) - len(body) if lengths else 0
    while missing > 0:
        missing -= len(_more(connection))
    return data


def _more(connection: socket.socket) -> bytes:
    data = connection.recv(65536)
    if not data:
        raise ConnectionError("the client left")
    return data


@contextlib.contextmanager
def served(script: Script) -> Iterator[Hostile]:
    """Run a server with this script."""
    server = Hostile(script)
    try:
        yield server
    finally:
        server.close()
