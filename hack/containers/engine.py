"""The program that builds images here, Docker or buildah, and the kind of cluster that they are for."""

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Literal

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "wakee-airflow"


def run(*command: str, quiet: bool = False, **options: object) -> str:
    """Run a command and return its output. On failure, print that output and exit; with `quiet`, return ""."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)  # type: ignore[call-overload]
    if done.returncode and not quiet:
        sys.exit(f"{done.stdout[-4000:]}\nerror: {' '.join(command[:4])} ... ended with {done.returncode}")
    return str(done.stdout).strip() if not done.returncode else ""


def succeeds(*command: str) -> bool:
    """Whether a command can be run, and ends with 0."""
    return bool(shutil.which(command[0])) and subprocess.run(command, capture_output=True).returncode == 0


def say(text: str) -> None:
    """Print one line of progress."""
    print(f"\033[1;36m==>\033[0m {text}", file=sys.stderr, flush=True)


@functools.cache
def builder() -> Literal["docker", "buildah"]:
    """`docker` where an engine answers, else `buildah`."""
    return "docker" if succeeds("docker", "info") else "buildah"


def cluster() -> str:
    """`kind` or `debian`: WAKEE_CLUSTER, else by what is there, as `cluster_kind` in hack/lib.sh."""
    return os.environ.get("WAKEE_CLUSTER") or ("kind" if builder() == "docker" else "debian")


@functools.cache
def has_buildx() -> bool:
    """Whether this Docker client builds with buildx, which has flags of its own."""
    return succeeds("docker", "buildx", "version")


def is_built(image: str) -> bool:
    """Whether the builder holds this image."""
    return bool(run(builder(), "images", "-q", image, quiet=True))


def size(image: str) -> str:
    """Size on disk, uncompressed, as the builder prints it."""
    return run(builder(), "images", "--format", "{{.Size}}", image).partition("\n")[0]  # one line per name


def tags_of(repository: str) -> list[str]:
    """Every image of this repository that the builder holds, as NAME:TAG."""
    name = "{{.Repository}}" if builder() == "docker" else "{{.Name}}"
    listing = run(builder(), "images", "--format", f"{name}:{{{{.Tag}}}}").splitlines()
    return [image for image in listing if image.startswith(f"{repository}:")]
