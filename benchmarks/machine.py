"""What the figures were measured on."""

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Sequence
from pathlib import Path

REPO = Path(__file__).parents[1]
CODE = ("benchmarks", "dags", "images", "tools")


def describe() -> str:
    """The machine, in one line."""
    cores = len(os.sched_getaffinity(0))
    return f"{processor()}, {cores} cores, {memory_gib():.0f} GiB, Linux {platform.release()}"


def versions(packages: Sequence[str]) -> str:
    """Of Python and of installed packages."""
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {_version(name)}" for name in packages)])


def commit() -> str:
    """Of the code that is measured; with a + where its files differ from it."""
    git = ["git", "-C", str(REPO)]
    head = subprocess.check_output([*git, "rev-parse", "--short", "HEAD"], text=True).strip()
    changed = subprocess.check_output([*git, "status", "--porcelain", "--", *CODE])
    return f"{head}+" if changed else head


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "?"


def processor() -> str:
    """The CPU's model, as the system calls it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next((line.partition(": ")[2] for line in lines if line.startswith("model name")), platform.processor())
    flags = next((line for line in lines if line.startswith("flags")), "").split()
    known = [flag for flag in ("avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16") if flag in flags]
    return f"{model} ({', '.join(known)})" if known else model


def memory_gib() -> float:
    """Memory of the machine."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
