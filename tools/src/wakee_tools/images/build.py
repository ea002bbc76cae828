"""Build an image with docker or buildah.

An image's tag is a digest of everything that goes into it, so an unchanged image is not built again, and a pod that
names a tag runs exactly that content.
"""

import hashlib
import os
import tempfile
from pathlib import Path
from threading import Lock

from wakee_tools.images.base import base_image
from wakee_tools.images.engine import builder, has_buildx, is_built
from wakee_tools.images.pip_settings import ca_bundle, write_pip_settings
from wakee_tools.images.torch_source import torch_source
from wakee_tools.paths import REPO
from wakee_tools.shell import output, say

# What each image is made of, besides its own folder.
PACKAGES = ["images/contract", "images/common"]
INGREDIENTS = {
    "airflow": ["dags", "images/contract"],
    "drift": PACKAGES,
    "sandbox": PACKAGES,
    "train": PACKAGES,
    "health": PACKAGES,
}
BASES = ("builder", "runtime")
"""What the images stand on: the targets of images/base/Dockerfile."""
BASE_FOLDERS = ["images/base", "images/sbom"]
LEFT_OUT = {"__pycache__", ".ruff_cache", ".mypy_cache", ".pytest_cache", "tests", "README.md"}
"""Files and folders that are no part of an image."""
BUILDING_BASES = Lock()


def tag(name: str) -> str:
    """The content tag of an image: twelve digits of the digest of all its files and build arguments."""
    digest = hashlib.sha256("\0".join(build_arguments(name)).encode())
    for folder in BASE_FOLDERS if name in BASES else [f"images/{name}", *INGREDIENTS.get(name, [])]:
        for path in sorted((REPO / folder).rglob("*")):
            parts = path.relative_to(REPO).parts
            if path.is_file() and not LEFT_OUT.intersection(parts) and "egg-info" not in str(path):
                digest.update("/".join(parts).encode() + b"\0" + path.read_bytes())
    return f"localhost/wakee/{name}:{digest.hexdigest()[:12]}"


def build_arguments(name: str) -> list[str]:
    """`KEY=value` of the build arguments that change an image's content."""
    if name in BASES:
        return [f"BASE_IMAGE={base_image()}"] if base_image() else []
    arguments = [f"{base.upper()}={tag(base)}" for base in BASES]
    return arguments + ([f"TORCH_VARIANT={torch_variant()}"] if name == "train" else [])


def torch_variant() -> str:
    """TORCH_VARIANT, `cuda` or `cpu`; without it, the smallest that this machine can get."""
    return os.environ.get("TORCH_VARIANT") or torch_source().variant


def build(name: str, image: str, *, recipe: str = "", cached: bool = True) -> None:
    """Build one image, with the machine's pip settings as build secrets.

    Args:
        name: Of the image.
        image: Its name and tag.
        recipe: Another Dockerfile than the image's own.
        cached: Whether layers of earlier builds may be used.
    """
    commit = (
        output("git", "-C", str(REPO), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*", quiet=True)
        or "unknown"
    )
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "pip.conf"
        links = torch_source().find_links if name == "train" and torch_variant() == "cpu" else []
        folders = write_pip_settings(settings, links)
        options = [*_recipe(name, recipe), "-t", image, "--secret", f"id=pip_conf,src={settings}"]
        options += [] if cached else ["--no-cache"]
        if bundle := ca_bundle():
            options += ["--secret", f"id=ca_bundle,src={bundle}"]
        for argument in [*build_arguments(name), f"GIT_COMMIT={commit}"]:
            options += ["--build-arg", argument]
        command, environment = _build_command(folders)
        output(*command, *options, ".", cwd=REPO, env={**os.environ, **environment})


def _recipe(name: str, recipe: str) -> list[str]:
    if name in BASES:
        return ["-f", "images/base/Dockerfile", "--target", name]
    return ["-f", recipe or f"images/{name}/Dockerfile"]


def _build_command(folders: list[Path]) -> tuple[list[str], dict[str, str]]:
    """The builder's command for a build that may read these folders, and the variables that it needs."""
    if builder() == "buildah":
        volumes = [word for path in folders for word in ("-v", f"{path}:{path}:ro")]
        return ["buildah", "bud", "--isolation", "chroot", "--network", "host", "--layers", *volumes], {}
    network = ["--network", "host"] if folders else []
    if has_buildx():
        # One image, not an index of image and provenance, in the engine's store. Only the engine's own builder, which
        # has the name of the context, sees our base images, which no registry has.
        own = output("docker", "context", "show", quiet=True) or "default"
        return ["docker", "buildx", "build", "--builder", own, "--provenance=false", "--load", *network], {}
    return ["docker", "build", *network], {"DOCKER_BUILDKIT": "1"}


def build_only(name: str) -> str:
    """Build one image, and before it the two it stands on, unless they are there; returns its name and tag."""
    with BUILDING_BASES:
        for base in BASES:
            _ensure(base)
    return _ensure(name)


def _ensure(name: str) -> str:
    image = tag(name)
    if not is_built(image):
        say(f"building {image}")
        build(name, image)
    return image
