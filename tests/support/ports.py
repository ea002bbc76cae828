"""TCP ports for servers that tests start."""

import contextlib
import os
import socket

WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
ROW_PORTS = range(20000, 32000, 20)


def free_ports(count: int) -> list[int]:
    """Different ports that nothing listens on, and that no other worker of pytest-xdist is given either."""
    ports = list[int]()
    with contextlib.ExitStack() as stack:
        while len(ports) < count:
            listener = stack.enter_context(socket.socket())
            listener.bind(("127.0.0.1", 0))
            port = int(listener.getsockname()[1])
            if port // 2 % WORKERS == WORKER:  # Linux gives away the ports of one parity first
                ports.append(port)
    return ports


def free_port() -> int:
    """One of them."""
    return free_ports(1)[0]


def consecutive_ports(count: int) -> int:
    """The first of `count` free ports in a row.

    They lie below the ports that Linux gives away. Each process of the tests searches from another place on.
    """
    start = ROW_PORTS.start + os.getpid() % 500 * ROW_PORTS.step
    rows = range(start, ROW_PORTS.stop, ROW_PORTS.step)
    return next(port for port in rows if all(is_free(port + offset) for offset in range(count)))


def is_free(port: int) -> bool:
    """Whether a server could listen on a port now."""
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: old connections do not count
        try:
            server.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
