"""A faulty server in place of any service. Each port has its own fault, for every request.

Tests point the selector and target port of a Kubernetes Service here. Its clients then meet the fault, while the real
pods keep running. Without a fault, no proxy is in the way.
"""

import asyncio
import contextlib
import math
import os
from collections.abc import Awaitable, Callable

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

PATIENCE_SECONDS = 600
"""How long a silent connection is kept open."""

LINGER_SECONDS = 2
"""How long the rest of a request is read, so that the client gets the response and not a connection reset."""

CHUNK = 16384


def _http(status: str, body: bytes, promised: int | None = None) -> bytes:
    length = len(body) if promised is None else promised
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


def _saying(answer: bytes) -> Answer:
    async def say(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(answer)
        await writer.drain()
        writer.write_eof()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LINGER_SECONDS):
                while await reader.read(65536):
                    pass

    return say


async def _silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await reader.read(65536):
                pass


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter, most: float, pause_seconds: float) -> None:
    while most > 0 and (data := await source.read(CHUNK)):
        await asyncio.sleep(pause_seconds)
        target.write(data)
        await target.drain()
        most -= len(data)


def _behind(most: float = math.inf, pause_seconds: float = 0) -> Answer:
    """Forward to the real service, `FAULT_SERVER_TARGET`, slowly, or abort after `most` bytes in one direction."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = os.environ["FAULT_SERVER_TARGET"].split(":")
        far_reader, far_writer = await asyncio.open_connection(host, int(port))
        carriers = [_carry(reader, far_writer, most, pause_seconds), _carry(far_reader, writer, most, pause_seconds)]
        ways = [asyncio.ensure_future(carrier) for carrier in carriers]
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        for end in (far_writer, writer):
            end.transport.abort()
        for way in ways:
            way.cancel()
        # Collect their exceptions. Otherwise, asyncio prints a traceback for every client that disconnects.
        await asyncio.gather(*ways, return_exceptions=True)

    return forward


MODES: dict[str, tuple[int, Answer]] = {
    "unavailable": (9001, _saying(_http("503 Service Unavailable", b'{"error": "out of order"}'))),
    "silent": (9002, _silent),
    "nonsense": (9003, _saying(_http("200 OK", b'{"unexpected": true}'))),
    "cut": (9004, _saying(_http("200 OK", b'{"unexpec', promised=1_000_000))),
    "limited": (9005, _saying(_http("429 Too Many Requests", b'{"error": "rate limited"}'))),
    "slow": (9006, _behind(pause_seconds=0.1)),
    "severed": (9007, _behind(most=100_000)),
}
"""The port and handler of each fault, by name. A port without a listener is another fault: gone."""


async def serve() -> None:
    """Serve all ports until cancelled."""
    servers = [await asyncio.start_server(_politely(answer), "0.0.0.0", port) for port, answer in MODES.values()]  # noqa: S104 - other pods must reach it
    await asyncio.gather(*(server.serve_forever() for server in servers))


def _politely(answer: Answer) -> Answer:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):  # the client disconnected, or the real service is down
            await answer(reader, writer)
        writer.close()

    return handle
