"""Build an image with docker or buildah.

An image's tag is a digest of all its inputs, so an unchanged image is not rebuilt, and a tag in a pod identifies the
exact content.
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

# The folders that go into each image, besides its own.
PACKAGES = ["images/contract", "images/common"]
INGREDIENTS = {
    "airflow": ["dags", "images/contract"],
    "drift": PACKAGES,
    "sandbox": PACKAGES,
    "train": PACKAGES,
    "health": PACKAGES,
}
BASES = ("builder", "runtime")
"""The targets of images/base/Dockerfile, on which the other images are based."""
BASE_FOLDERS = ["images/base", "images/sbom"]
LEFT_OUT = {"__pycache__", ".ruff_cache", ".mypy_cache", ".pytest_cache", "tests", "README.md"}
"""Files and folders that are not part of an image."""
BUILDING_BASES = Lock()


def tag(name: str) -> str:
    """The content tag of an image: 12 digits of the digest of all its files and build arguments."""
    digest = hashlib.sha256("\0".join(build_arguments(name)).encode())
    for folder in BASE_FOLDERS if name in BASES else [f"images/{name}", *INGREDIENTS.get(name, [])]:
        for path in sorted((REPO / folder).rglob("*")):
            parts = path.relative_to(REPO).parts
            if path.is_file() and not LEFT_OUT.intersection(parts) and "egg-info" not in str(path):
                digest.update("/".join(parts).encode() + b"\0" + path.read_bytes())
    return f"localhost/wakee/{name}:{digest.hexdigest()[:12]}"


def build_arguments(name: str) -> list[str]:
    """The build arguments that change an image's content, as `KEY=value`."""
    if name in BASES:
        return [f"BASE_IMAGE={base_image()}"] if base_image() else []
    arguments = [f"{base.upper()}={tag(base)}" for base in BASES]
    return arguments + ([f"TORCH_VARIANT={torch_variant()}"] if name == "train" else [])


def torch_variant() -> str:
    """TORCH_VARIANT, `cuda` or `cpu`; by default, the smallest one that is available on this machine."""
    return os.environ.get("TORCH_VARIANT") or torch_source().variant


def build(name: str, image: str, *, recipe: str = "", cached: bool = True) -> None:
    """Build one image, with the machine's pip settings as build secrets.

    Args:
        name: Name of the image.
        image: Its repository and tag.
        recipe: Another Dockerfile than the image's own.
        cached: Whether to use layers of earlier builds.
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
    """The builder's command for a build that reads these folders, and the environment variables that it needs."""
    if builder() == "buildah":
        volumes = [word for path in folders for word in ("-v", f"{path}:{path}:ro")]
        return ["buildah", "bud", "--isolation", "chroot", "--network", "host", "--layers", *volumes], {}
    network = ["--network", "host"] if folders else []
    if has_buildx():
        # Build a single image without a provenance index, into the engine's store. Use the engine's own builder, named
        # like the Docker context, because only it sees our base images, which are not in any registry.
        own = output("docker", "context", "show", quiet=True) or "default"
        return ["docker", "buildx", "build", "--builder", own, "--provenance=false", "--load", *network], {}
    return ["docker", "build", *network], {"DOCKER_BUILDKIT": "1"}


def build_only(name: str) -> str:
    """Build one image, after the two base images, unless they exist. Returns its name and tag."""
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
