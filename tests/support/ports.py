"""TCP ports for servers that tests start."""

import contextlib
import os
import socket

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
ROW_PORTS = range(20000, 32000, 20)


def free_ports(count: int) -> list[int]:
    """Return distinct ports that nothing listens on, and that no other pytest-xdist worker gets."""
    ports = list[int]()
    with contextlib.ExitStack() as stack:
        while len(ports) < count:
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            port = int(listener.getsockname()[1])
            if port // 2 % WORKERS == WORKER:  # Linux assigns ports of one parity first
                ports.append(port)
    return ports


def free_port() -> int:
    """Return one free port."""
    return free_ports(1)[0]


def consecutive_ports(count: int) -> int:
    """Return the first of `count` consecutive free ports.

    They are below Linux's ephemeral ports. Each test process starts its search at a different port.
    """
    start = ROW_PORTS.start + os.getpid() % 500 * ROW_PORTS.step
    rows = range(start, ROW_PORTS.stop, ROW_PORTS.step)
    return next(port for port in rows if all(is_free(port + offset) for offset in range(count)))


def is_free(port: int) -> bool:
    """Whether a server can listen on a port now."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as in servers: ignore TIME_WAIT
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
