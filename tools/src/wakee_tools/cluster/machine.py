"""Check that this computer has enough CPUs, memory and free disk for a cluster.

With a Docker engine, the engine's numbers count, because Docker Desktop and colima run it in a virtual machine.
"""

import json
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.markup import escape

from wakee_tools.cluster import kind as kind_cluster
from wakee_tools.cluster.choice import ClusterKind
from wakee_tools.paths import STATE
from wakee_tools.shell import console

CPUS = 2
MEMORY_GIB, MEMORY_TOLERATED_GIB = 8, 7.5
"""Required and tolerated memory. A machine reports less than it was given, because the kernel reserves a part."""
DISK_GB = {"kind": 30, "debian": 15}
DISK_OF_A_CLUSTER_GB = 5
"""Free disk in GB needed once the cluster and its images exist."""

SKIP = "WAKEE_SKIP_MACHINE_CHECK"
COLIMA = f"Run: colima stop; colima start --cpu {CPUS} --memory {MEMORY_GIB} --disk 60"
START_DOCKER = "Start Docker, or set WAKEE_CLUSTER=debian (as root, on Debian 12)."
DOCKER_DESKTOP = "Raise it in Docker Desktop: Settings, Resources."


@dataclass(frozen=True)
class Machine:
    """The resources of one machine.

    Attributes:
        name: Name for messages, e.g. "Docker Desktop".
        cpus: Number of CPUs.
        memory: Memory in bytes.
        folder: Folder of images and cluster; None if it is not on a disk of this computer.
        has_cluster: Whether the cluster exists.
        remedy: How to give the machine more resources; empty if it cannot get more.
    """

    name: str
    cpus: int
    memory: int
    folder: Path | None
    has_cluster: bool
    remedy: str = ""


class EngineError(Exception):
    """No Docker engine responds."""


def report_machine(kind: ClusterKind) -> bool:
    """Print the machine's resources, or a line for each insufficient one. Returns whether to continue.

    With WAKEE_SKIP_MACHINE_CHECK=1, the result is always True.
    """
    try:
        machine = machine_of(kind)
    except EngineError as error:
        return _go_on([f'Docker engine: it does not answer ("{error}"), and kind needs it. {START_DOCKER}'])
    free = free_disk(machine)
    if lines := list(problems(machine, kind, free)):
        return _go_on(lines)
    _print(summary(machine, kind, free))
    return True


def _go_on(lines: list[str]) -> bool:
    """Print the problems. Returns whether to continue anyway."""
    for line in lines:
        _print(f"[red]✗[/] {escape(line)}")
    skipped = os.environ.get(SKIP, "") not in {"", "0"}
    _print(f"Continuing, because {SKIP} is set." if skipped else f"{SKIP}=1 continues anyway.")
    return skipped


def _print(line: str) -> None:
    console.print(line, soft_wrap=True, highlight=False)


def summary(machine: Machine, kind: ClusterKind, free: float | None) -> str:
    """Describe the machine's resources in one line."""
    disk = (
        f"{free:.0f} GB of free disk"
        if free is not None
        else f"disk not checked ({disk_needed(machine, kind)} GB needed)"
    )
    return f"{machine.name}: {machine.cpus} CPUs, {machine.memory / 2**30:.1f} GiB of memory, {disk}"


def machine_of(kind: ClusterKind) -> Machine:
    """The machine on which a cluster of this kind runs.

    Raises:
        EngineError: the kind is `kind`, and no Docker engine responds.
    """
    if kind is ClusterKind.DEBIAN:
        return this_machine()
    return engine_machine(docker_info(), has_cluster=bool(_docker("ps", "--all", "--quiet", *kind_cluster.NODES)))


def problems(machine: Machine, kind: ClusterKind, free: float | None) -> Iterator[str]:
    """Yield a line for each insufficient resource.

    Args:
        machine: The machine.
        kind: The kind of cluster to run on it.
        free: Free disk in GB; None if unknown.
    """
    more = machine.remedy or "Use a larger machine."
    if machine.cpus < CPUS:
        yield f"CPUs: {machine.name} has {machine.cpus}, {CPUS} are needed. {more}"
    gib = machine.memory / 2**30
    if gib < MEMORY_TOLERATED_GIB:
        yield f"Memory: {machine.name} has {gib:.1f} GiB, {MEMORY_GIB} GiB are needed. {more}"
    needed = disk_needed(machine, kind)
    if free is not None and free < needed:
        remedy = (
            "Free disk space. docker system df shows what Docker uses."
            if kind is ClusterKind.KIND
            else "Free disk space."
        )
        yield f"Disk: {free:.0f} GB are free at {machine.folder}, {needed} GB are needed. {remedy}"


def disk_needed(machine: Machine, kind: ClusterKind) -> int:
    """The free disk that is needed, in GB. It is less once the cluster exists."""
    return DISK_OF_A_CLUSTER_GB if machine.has_cluster else DISK_GB[kind]


def free_disk(machine: Machine) -> float | None:
    """Free disk in the folder of images and cluster, in GB (10^9 bytes); None if it is not on this computer."""
    if machine.folder is None:
        return None
    there = next(folder for folder in (machine.folder, *machine.folder.parents) if folder.exists())
    return shutil.disk_usage(there).free / 1e9


def this_machine() -> Machine:
    """The resources of this computer."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return Machine("this machine", os.cpu_count() or 1, memory, STATE, (STATE / "cluster").exists())


def engine_machine(info: dict[str, Any], *, has_cluster: bool) -> Machine:
    """The machine of a Docker engine, from the output of `docker info`.

    Raises:
        EngineError: the output has no machine, as from a client without an engine.
    """
    if not info.get("NCPU"):
        raise EngineError("; ".join(info.get("ServerErrors") or ["docker info does not report the number of CPUs"]))
    name, remedy = _engine(info)
    return Machine(name, info["NCPU"], info["MemTotal"], _local_folder(info), has_cluster, remedy)


def _engine(info: dict[str, Any]) -> tuple[str, str]:
    if info.get("OperatingSystem") == "Docker Desktop":
        return "Docker Desktop", DOCKER_DESKTOP
    if str(info.get("Name", "")).startswith("colima"):
        return "colima", COLIMA
    return "the Docker engine's machine", ""


def _local_folder(info: dict[str, Any]) -> Path | None:
    """The engine's folder if the engine runs on this computer itself, which is recognized by the host name."""
    folder = Path(info.get("DockerRootDir") or "/nowhere")
    return folder if info.get("Name") == socket.gethostname() and folder.exists() else None


def docker_info() -> dict[str, Any]:
    """Return the output of `docker info` about the engine and its machine.

    Raises:
        EngineError: no engine responds, or none is installed.
    """
    return dict(json.loads(_docker("info", "--format", "{{json .}}")))


def _docker(*arguments: str) -> str:
    try:
        done = subprocess.run(["docker", *arguments], capture_output=True, text=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(str(error)) from error
    if done.returncode and not done.stdout.strip():
        raise EngineError((done.stderr.strip() or "no answer").splitlines()[-1])
    return done.stdout.strip()
