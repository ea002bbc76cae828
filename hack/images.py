#!/usr/bin/env python3
"""Build the images that changed, with docker or buildah, and load them into the cluster.

An image's tag is a digest of everything that goes into it, so an unchanged image is neither built nor
loaded again, and a pod that names a tag runs exactly that content. Needs nothing but the standard library.
"""

import argparse
import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "wakee-airflow"
RECORD = REPO / ".build" / "images.env"
PIP = CACHE / "uv-venv" / "bin" / "pip"  # hack/tools.sh makes it; a bare Debian has none
CLUSTER = "wakee"
CONTAINERD = "/run/wakee-airflow/containerd.sock"
LOCAL_BASE = "localhost/wakee/base:bookworm-2"
BASE_PACKAGES = "python3,python3-venv,ca-certificates,usr-is-merged"
BASE_OPTIONS = [
    # As the official slim images: no manuals, no translations, and /usr merged without the program that needs Perl.
    "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",
    *(f"--dpkgopt=path-exclude=/usr/share/{folder}/*" for folder in ("doc", "man", "locale")),
    "--dpkgopt=path-include=/usr/share/doc/*/copyright",
]

# What each image is made of, besides its own folder.
INGREDIENTS = {
    "airflow": ["dags", "images/sbom"],
    "drift": ["images/common", "images/sbom"],
    "sandbox": ["images/common", "images/sbom"],
    "train": ["images/common", "images/sbom"],
    "health": ["images/common", "images/sbom"],
}
IMAGES = [name for name in INGREDIENTS if (REPO / "images" / name / "Dockerfile").exists()]
# Of pip's settings; the rest (constraints, output, ...) is for other work than installing a lock.
WHERE_PACKAGES_ARE = {
    "index-url",
    "extra-index-url",
    "find-links",
    "trusted-host",
    "no-index",
    "default-timeout",
    "retries",
}
LEFT_OUT = {"__pycache__", "tests", "README.md"}


def run(*command: str, quiet: bool = False, **options: object) -> str:
    """Run a command and return its output; on failure print that output and stop."""
    done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **options)  # type: ignore[call-overload]
    if done.returncode and not quiet:
        sys.exit(f"{done.stdout[-4000:]}\nerror: {' '.join(command[:4])} ... ended with {done.returncode}")
    return str(done.stdout).strip() if not done.returncode else ""


@functools.cache
def builder() -> str:
    """`docker` where an engine and kind are, as hack/cluster.sh decides; else `buildah`."""
    if (
        shutil.which("docker")
        and shutil.which("kind")
        and subprocess.run(["docker", "info"], capture_output=True).returncode == 0
    ):
        return "docker"
    return "buildah"


def tag(name: str) -> str:
    """The content tag of an image: twelve digits of the digest of all its files and build arguments."""
    digest = hashlib.sha256("\0".join(build_arguments(name)).encode())
    for folder in [f"images/{name}", *INGREDIENTS[name]]:
        for path in sorted((REPO / folder).rglob("*")):
            parts = path.relative_to(REPO).parts
            if path.is_file() and not LEFT_OUT.intersection(parts) and "egg-info" not in str(path):
                digest.update("/".join(parts).encode() + b"\0" + path.read_bytes())
    return f"localhost/wakee/{name}:{digest.hexdigest()[:12]}"


def build_arguments(name: str) -> list[str]:
    """`KEY=value` of the build arguments that change an image's content."""
    base = os.environ.get("BASE_IMAGE") or (LOCAL_BASE if builder() == "buildah" else "")
    arguments = [f"BASE_IMAGE={base}"] if base else []
    if name == "train":
        arguments.append(f"TORCH_VARIANT={os.environ.get('TORCH_VARIANT', 'cpu')}")
    return arguments


def ensure_local_base() -> None:
    """A Debian 12 + Python 3.11 root file system, like python:3.11-slim, for machines that reach no image registry."""
    if run("buildah", "images", "-q", LOCAL_BASE, quiet=True):
        return
    tar = CACHE / f"{LOCAL_BASE.rpartition(':')[2]}.tar"
    suite = "bookworm"
    if not tar.exists():
        part = tar.with_suffix(".part.tar")
        run("mmdebstrap", "--variant=minbase", f"--include={BASE_PACKAGES}", *BASE_OPTIONS, suite, str(part))
        part.rename(tar)
    container = run("buildah", "from", "scratch")
    run("buildah", "add", "-q", container, str(tar), "/")
    run("buildah", "config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", container)
    run("buildah", "commit", "-q", "--rm", container, LOCAL_BASE)


def pip_settings(folder: Path) -> tuple[Path, list[Path]]:
    """The machine's pip settings as one file for the build, and the local folders that it names."""
    lines, folders = ["[global]"], []
    for line in run(str(PIP), "config", "list").splitlines():
        name, _, value = line.partition("=")
        key, value = name.rpartition(".")[2], value.strip("'\"").replace("\\n", " ")
        if key not in WHERE_PACKAGES_ARE:
            continue
        lines.append(f"{key} = {value}")
        # An index on disk refers to files beside it, so its parent comes along.
        folders += [Path(word.removeprefix("file://")).parent for word in value.split() if word.startswith("file://")]
        folders += [Path(word) for word in value.split() if word.startswith("/")]
    if ca_bundle():
        lines.append("cert = /etc/ssl/build-ca.crt")
    path = folder / "pip.conf"
    path.write_text("\n".join(dict.fromkeys(lines)) + "\n")
    return path, [folder for folder in dict.fromkeys(folders) if folder.is_dir()]


def ca_bundle() -> str:
    """The certificate bundle that this machine's clients are told to trust, if any."""
    named = (os.environ.get(name, "") for name in ("PIP_CERT", "SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"))
    return next((path for path in named if path and Path(path).is_file()), "")


def build(name: str, image: str, *, recipe: str = "", cached: bool = True) -> None:
    """Build one image, with the machine's pip settings as build secrets.

    Args:
        name: Of the image.
        image: Its name and tag.
        recipe: Another Dockerfile than the image's own.
        cached: Whether layers of earlier builds may serve.
    """
    commit = (
        run("git", "-C", str(REPO), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*", quiet=True)
        or "unknown"
    )
    with tempfile.TemporaryDirectory() as folder:
        settings, folders = pip_settings(Path(folder))
        options = ["-f", recipe or f"images/{name}/Dockerfile", "-t", image, "--secret", f"id=pip_conf,src={settings}"]
        options += [] if cached else ["--no-cache"]
        if bundle := ca_bundle():
            options += ["--secret", f"id=ca_bundle,src={bundle}"]
        for argument in [*build_arguments(name), f"GIT_COMMIT={commit}"]:
            options += ["--build-arg", argument]
        if builder() == "docker":
            run("docker", "build", *options, ".", cwd=REPO, env={**os.environ, "DOCKER_BUILDKIT": "1"})
            return
        volumes = [word for path in folders for word in ("-v", f"{path}:{path}:ro")]
        run(
            "buildah",
            "bud",
            "--isolation",
            "chroot",
            "--network",
            "host",
            "--layers",
            *volumes,
            *options,
            ".",
            cwd=REPO,
        )


def is_built(image: str) -> bool:
    """Whether the builder already holds this content."""
    if builder() == "docker":
        return bool(run("docker", "images", "-q", image))
    return bool(run("buildah", "images", "-q", image, quiet=True))


def is_loaded(image: str) -> bool:
    """Whether the cluster's node already holds it."""
    if builder() == "docker":
        images = run("docker", "exec", f"{CLUSTER}-control-plane", "crictl", "images", "--output=json", quiet=True)
        name, _, label = image.rpartition(":")
        return f"{name}:{label}" in images
    return image in run("ctr", "-a", CONTAINERD, "-n", "k8s.io", "images", "ls", "-q").splitlines()


def node_runs() -> bool:
    """Whether there is a node to load images into, yet."""
    if builder() == "docker":
        return bool(run("docker", "ps", "-q", "--filter", f"name={CLUSTER}-control-plane", quiet=True))
    return bool(shutil.which("ctr") and run("ctr", "-a", CONTAINERD, "version", quiet=True))


def load(image: str) -> None:
    """Bring an image into the cluster's node."""
    if builder() == "docker":
        run("kind", "load", "docker-image", image, "--name", CLUSTER)
        return
    with tempfile.NamedTemporaryFile(suffix=".tar", dir=CACHE) as archive:
        Path(archive.name).unlink()
        run("buildah", "push", "-q", image, f"docker-archive:{archive.name}:{image}")
        run("ctr", "-a", CONTAINERD, "-n", "k8s.io", "images", "import", archive.name)
        Path(archive.name).touch()


def forget_others(image: str) -> None:
    """Remove earlier contents of the same image, which would fill the disk; containers that run go on."""
    name = image.rpartition(":")[0]
    listing = run(
        builder(), "images", "--format", "{{.Name}}:{{.Tag}}" if builder() == "buildah" else "{{.Repository}}:{{.Tag}}"
    )
    for other in listing.splitlines():
        if other.startswith(f"{name}:") and other != image:
            run(builder(), "rmi", other, quiet=True)
    if builder() == "buildah" and Path(CONTAINERD).exists():
        for other in run("ctr", "-a", CONTAINERD, "-n", "k8s.io", "images", "ls", "-q").splitlines():
            if other.startswith(f"{name}:") and other != image:
                run("ctr", "-a", CONTAINERD, "-n", "k8s.io", "images", "rm", other, quiet=True)


def size(image: str) -> str:
    """Size on disk, uncompressed, as the builder prints it."""
    return run(builder(), "images", "--format", "{{.Size}}", image).partition("\n")[0]  # a line for each of its names


def make(name: str, early: bool) -> str:
    """Build and load one image, saying what was done and how long it took; returns its tag."""
    image, start, done = tag(name), time.monotonic(), []
    if not is_built(image):
        print(f"==> building {image}", file=sys.stderr, flush=True)
        build(name, image)
        done.append("built")
    if (node_runs() or not early) and not is_loaded(image):
        load(image)
        done.append("loaded")
    if done or not early:
        what = " and ".join(done) or "unchanged"
        print(f"{image:44s} {size(image):>8s}  {what} in {time.monotonic() - start:.0f} s", flush=True)
    return image


def record(images: dict[str, str]) -> None:
    """Note what is in the cluster now, for hack/deploy.sh: `NAME=IMAGE` lines."""
    RECORD.parent.mkdir(exist_ok=True)
    known = dict(line.split("=", 1) for line in RECORD.read_text().splitlines()) if RECORD.exists() else {}
    RECORD.write_text("".join(f"{name}={image}\n" for name, image in {**known, **images}.items()))


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "images", nargs="*", default=IMAGES, metavar="IMAGE", help=f"which (default all: {', '.join(IMAGES)})"
    )
    parser.add_argument("--early", action="store_true", help="load only if the cluster's node runs already")
    parser.add_argument(
        "--forget",
        action="store_true",
        help="instead, remove earlier contents: hack/deploy.sh, once nothing names them",
    )
    arguments = parser.parse_args()
    if arguments.forget:
        for line in RECORD.read_text().splitlines():
            forget_others(line.partition("=")[2])
        return
    names = arguments.images or IMAGES
    if builder() == "buildah":
        ensure_local_base()
    # Two at a time: installing packages keeps one core busy, and the disk is shared.
    with ThreadPoolExecutor(max_workers=2) as pool:
        images = dict(zip(names, pool.map(lambda name: make(name, arguments.early), names), strict=True))
    record(images)


if __name__ == "__main__":
    main()
