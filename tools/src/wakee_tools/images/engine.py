"""The program that builds images on this machine, Docker or buildah, and its images."""

import functools
from typing import Literal

from wakee_tools.cluster.choice import docker_answers
from wakee_tools.shell import output, succeeds


def builder() -> Literal["docker", "buildah"]:
    """`docker` if an engine responds, else `buildah`."""
    return "docker" if docker_answers() else "buildah"


@functools.cache
def has_buildx() -> bool:
    """Whether this Docker client builds with buildx, which has additional flags."""
    return succeeds("docker", "buildx", "version")


def is_built(image: str) -> bool:
    """Whether the builder has this image."""
    return bool(output(builder(), "images", "-q", image, quiet=True))


def size(image: str) -> str:
    """The uncompressed size on disk, as the builder prints it."""
    return output(builder(), "images", "--format", "{{.Size}}", image).partition("\n")[0]  # one line per name


def tags_of(repository: str) -> list[str]:
    """List the images of this repository that the builder has, as NAME:TAG."""
    name = "{{.Repository}}" if builder() == "docker" else "{{.Name}}"
    listing = output(builder(), "images", "--format", f"{name}:{{{{.Tag}}}}").splitlines()
    return [image for image in listing if image.startswith(f"{repository}:")]
