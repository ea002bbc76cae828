#!/usr/bin/env python3
"""Build the images that changed, with docker or buildah, and bring them to the cluster.

An image's tag is a digest of everything that goes into it, so an unchanged image is neither built nor
loaded again, and a pod that names a tag runs exactly that content. Needs nothing but the standard library.
"""

import argparse
import hashlib
import os
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from containers import containerd, registry
from containers.base import base_image
from containers.engine import builder, cluster, has_buildx, is_built, run, say, size, tags_of
from containers.pip_settings import ca_bundle, write_pip_settings
from containers.torch_source import torch_source

REPO = Path(__file__).resolve().parent.parent
RECORD = REPO / ".build" / "images.env"

# What each image is made of, besides its own folder.
INGREDIENTS = {
    "airflow": ["dags", "images/sbom"],
    "drift": ["images/common", "images/sbom"],
    "sandbox": ["images/common", "images/sbom"],
    "train": ["images/common", "images/sbom"],
    "health": ["images/common", "images/sbom"],
}
LEFT_OUT = {"__pycache__", "tests", "README.md"}


def tag(name: str) -> str:
    """The content tag of an image: twelve digits of the digest of all its files and build arguments."""
    digest = hashlib.sha256("\0".join(build_arguments(name)).encode())
    for folder in [f"images/{name}", *INGREDIENTS.get(name, [])]:
        for path in sorted((REPO / folder).rglob("*")):
            parts = path.relative_to(REPO).parts
            if path.is_file() and not LEFT_OUT.intersection(parts) and "egg-info" not in str(path):
                digest.update("/".join(parts).encode() + b"\0" + path.read_bytes())
    return f"localhost/wakee/{name}:{digest.hexdigest()[:12]}"


def build_arguments(name: str) -> list[str]:
    """`KEY=value` of the build arguments that change an image's content."""
    arguments = [f"BASE_IMAGE={base_image()}"] if base_image() else []
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
        run("git", "-C", str(REPO), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*", quiet=True)
        or "unknown"
    )
    with tempfile.TemporaryDirectory() as folder:
        settings = Path(folder) / "pip.conf"
        links = torch_source().find_links if name == "train" and torch_variant() == "cpu" else []
        folders = write_pip_settings(settings, links)
        options = ["-f", recipe or f"images/{name}/Dockerfile", "-t", image, "--secret", f"id=pip_conf,src={settings}"]
        options += [] if cached else ["--no-cache"]
        if bundle := ca_bundle():
            options += ["--secret", f"id=ca_bundle,src={bundle}"]
        for argument in [*build_arguments(name), f"GIT_COMMIT={commit}"]:
            options += ["--build-arg", argument]
        command, environment = _build_command(folders)
        run(*command, *options, ".", cwd=REPO, env={**os.environ, **environment})


def _build_command(folders: list[Path]) -> tuple[list[str], dict[str, str]]:
    """The builder's command for a build that may read these folders, and the variables that it needs."""
    if builder() == "buildah":
        volumes = [word for path in folders for word in ("-v", f"{path}:{path}:ro")]
        return ["buildah", "bud", "--isolation", "chroot", "--network", "host", "--layers", *volumes], {}
    network = ["--network", "host"] if folders else []
    if has_buildx():
        # One image, not an index of image and provenance, in the engine's store, whichever builder is in use. Only the
        # engine's own builder sees a base image that no registry has.
        own = ["--builder", "default"] if base_image().startswith("localhost/") else []
        return ["docker", "buildx", "build", *own, "--provenance=false", "--load", *network], {}
    return ["docker", "build", *network], {"DOCKER_BUILDKIT": "1"}


def load(image: str, early: bool) -> list[str]:
    """Bring an image to the cluster's nodes; returns what was done. With `early`, there may be no node yet."""
    done = []
    if cluster() == "debian":
        if (containerd.runs() or not early) and not containerd.is_loaded(image):
            containerd.load(image)
            done.append("loaded")
        return done
    if not registry.is_pushed(image):
        registry.push(image)
        done.append("pushed")
    if not early and not registry.is_pulled(image):
        registry.pull(image)
        done.append("pulled")
    return done


def forget_others(image: str) -> None:
    """Remove earlier contents of the same image, which would fill the disk."""
    others = [other for other in tags_of(image.rpartition(":")[0]) if other != image]
    for other in others:
        run(builder(), "rmi", other, quiet=True)
        (registry if cluster() == "kind" else containerd).forget(other)


def make(name: str, early: bool) -> str:
    """Build and load one image, saying what was done and how long it took; returns its tag."""
    start, before = time.monotonic(), is_built(tag(name))
    image = build_only(name)
    done = ([] if before else ["built"]) + load(image, early)
    if done or not early:
        what = " and ".join(done) or "unchanged"
        print(f"{image:44s} {size(image):>8s}  {what} in {time.monotonic() - start:.0f} s", flush=True)
    return image


def build_only(name: str) -> str:
    """Build one image, unless it is there; returns its name and tag."""
    image = tag(name)
    if not is_built(image):
        say(f"building {image}")
        build(name, image)
    return image


def start_registry() -> None:
    """Build and run the registry that the kind cluster pulls from."""
    registry.ensure_registry(build_only("registry"))


def record(images: dict[str, str]) -> None:
    """Note what is in the cluster now, for hack/deploy.sh: `NAME=IMAGE` lines."""
    RECORD.parent.mkdir(exist_ok=True)
    known = dict(line.split("=", 1) for line in RECORD.read_text().splitlines()) if RECORD.exists() else {}
    RECORD.write_text("".join(f"{name}={image}\n" for name, image in {**known, **images}.items()))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    names = list(INGREDIENTS)
    parser.add_argument("images", nargs="*", metavar="IMAGE", help=f"which (default all: {', '.join(names)})")
    parser.add_argument("--build-only", action="store_true", help="build, and print only the images' names")
    parser.add_argument("--early", action="store_true", help="the cluster may not be there yet")
    parser.add_argument(
        "--forget",
        action="store_true",
        help="instead, remove earlier contents: hack/deploy.sh, once nothing names them",
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.images) - INGREDIENTS.keys():
        sys.exit(f"error: no image is called {', '.join(sorted(unknown))}; there are {', '.join(names)}")
    if arguments.forget:
        for line in RECORD.read_text().splitlines():
            forget_others(line.partition("=")[2])
        return
    chosen = arguments.images or names
    if arguments.build_only:
        print(*(build_only(name) for name in chosen), sep="\n")
        return
    if cluster() == "kind":
        start_registry()
        if not arguments.early:
            registry.connect_nodes()
    # Two at a time: installing packages keeps one core busy, and the disk is shared.
    with ThreadPoolExecutor(max_workers=2) as pool:
        images = dict(zip(chosen, pool.map(lambda name: make(name, arguments.early), chosen), strict=True))
    record(images)


if __name__ == "__main__":
    main()
