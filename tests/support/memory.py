"""Peak memory of this process, from `VmHWM`, because a child's `ru_maxrss` starts at its parent's value."""

from pathlib import Path

STATUS, PEAK_RESET = Path("/proc/self/status"), "5"


def peak_mib() -> float:
    """The peak memory in MiB since the process started, or since `forget_peak`."""
    return int(STATUS.read_text().split("VmHWM:")[1].split()[0]) / 1024


def forget_peak() -> None:
    """Reset the peak to the current memory."""
    Path("/proc/self/clear_refs").write_text(PEAK_RESET)
