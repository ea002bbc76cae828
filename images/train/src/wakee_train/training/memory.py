"""The memory limit and the peak memory of this process."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

MIB = 2**20
LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
"""Files with the container's limit in control groups version 2 and version 1."""
MACHINE = Path("/proc/meminfo")
STATUS, CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
FORGET_PEAK = "5"


def memory_limit_mib() -> int:
    """The container's memory limit, or the machine's memory if that is less, in MiB."""
    limits = [int(MACHINE.read_text().split("MemTotal:")[1].split()[0]) // 1024]
    for path in LIMITS:
        with suppress(OSError, ValueError):  # not this version, or "max"
            limits.append(int(path.read_text()) // MIB)
    return min(limits)


@contextmanager
def peak_mib() -> Iterator[Callable[[], int]]:
    """Yield a function that returns the peak memory of this process since this call, in MiB.

    If the kernel does not support resetting the peak, it is the peak since the process started.
    """
    with suppress(OSError):
        CLEAR.write_text(FORGET_PEAK)
    yield lambda: int(STATUS.read_text().split("VmHWM:")[1].split()[0]) // 1024
