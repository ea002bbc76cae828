"""How much memory this process may have, and the most that it has had."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MIB = 2**20
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Of the container: control groups of version 2, and of version 1."""
MACHINE = Path("/proc/meminfo")
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FORGET_PEAK = "5"


def memory_limit_mib() -> int:
    """The container's limit, or the machine's memory where that is less."""
    limits = [int(MACHINE.read_text().split("MemTotal:")[1].split()[0]) // 1024]
    for path in LIMITS:
        with suppress(OSError, ValueError):  # not this version, or "max"
            limits.append(int(path.read_text()) // MIB)
    return min(limits)


@contextmanager
def peak_mib() -> Iterator[Callable[[], int]]:
    """Gives a function that returns the most memory of this process since now, in MiB.

    Where the kernel does not let the process forget its earlier peak, since the process began.
    """
    with suppress(OSError):
        CLEAR.write_text(FORGET_PEAK)
    yield lambda: int(STATUS.read_text().split("VmHWM:")[1].split()[0]) // 1024
