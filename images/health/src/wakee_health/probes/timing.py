"""Measure the duration of calls."""

import time
from collections.abc import Iterator
from contextlib import contextmanager


class Stopwatch:
    """Collect the durations of calls inside `measured`, in seconds."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure one call. A call that raises is not counted."""
        start = time.perf_counter()
        yield
        self.seconds.append(time.perf_counter() - start)


def slowness(what: str, p95_ms: float, limit_ms: float) -> list[str]:
    """Return a warning if the 95th percentile is above the limit."""
    return [f"{what} is slow: p95 {p95_ms:.0f} ms, more than {limit_ms:.0f} ms"] if p95_ms > limit_ms else []
