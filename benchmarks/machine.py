"""What the figures were measured on."""

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path


def describe(packages: Sequence[str] = ()) -> str:
    """The machine and the versions, in one line."""
    cores = len(os.sched_getaffinity(0))
    versions = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in packages)]
    return f"{processor()}, {cores} cores, {memory_gib():.0f} GiB; Linux {platform.release()}; {', '.join(versions)}"


def version(package: str) -> str:
    """The version of an installed package."""
    return importlib.metadata.version(package)


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
