"""The program that builds images here, Docker or buildah, and what it holds."""

import functools
from typing import Literal

from wakee_tools.cluster.choice import docker_answers
from wakee_tools.shell import output, succeeds


def builder() -> Literal["docker", "buildah"]:
    """`docker` where an engine answers, else `buildah`."""
    return "docker" if docker_answers() else "buildah"


@functools.cache
def has_buildx() -> bool:
    """Whether this Docker client builds with buildx, which has flags of its own."""
    return succeeds("docker", "buildx", "version")


def is_built(image: str) -> bool:
    """Whether the builder holds this image."""
    return bool(output(builder(), "images", "-q", image, quiet=True))


def size(image: str) -> str:
    """Size on disk, uncompressed, as the builder prints it."""
    return output(builder(), "images", "--format", "{{.Size}}", image).partition("\n")[0]  # one line per name


def tags_of(repository: str) -> list[str]:
    """Every image of this repository that the builder holds, as NAME:TAG."""
    name = "{{.Repository}}" if builder() == "docker" else "{{.Name}}"
    listing = output(builder(), "images", "--format", f"{name}:{{{{.Tag}}}}").splitlines()
    return [image for image in listing if image.startswith(f"{repository}:")]
