"""The most memory that this process has held: `VmHWM`, for `ru_maxrss` of a child begins at its parent's."""

from pathlib import Path

STATUS, PEAK_RESET = Path("/proc/self/status"), "5"


def peak_mib() -> float:
    """Since the process began, or since `forget_peak`."""
    return int(STATUS.read_text().split("VmHWM:")[1].split()[0]) / 1024


def forget_peak() -> None:
    """Count anew, from what is held now."""
    Path("/proc/self/clear_refs").write_text(PEAK_RESET)
