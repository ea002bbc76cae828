"""The image registry beside the kind cluster, from which the nodes pull images.

A node pulls only the layers that it lacks, so changed code arrives in seconds, whereas `kind load` sends whole images.
Set up as in kind's documentation (https://kind.sigs.k8s.io/docs/user/local-registry/), with two differences: the
registry is Debian's package `docker-registry` on our base image, so it needs no public image, and its name on the nodes
is `localhost`, so that images have the same names on every kind of cluster.
"""

import functools
import os
import urllib.error
import urllib.request
from pathlib import Path

from wakee_tools.cluster import kind
from wakee_tools.shell import output

CONTAINER, VOLUME = "wakee-registry", "wakee-registry"
PORT = int(os.environ.get("WAKEE_REGISTRY_PORT", "5001"))
LARGE_MEGABYTES = 10_000
HOSTS = "/etc/containerd/certs.d/localhost"
"""The folder in which containerd finds the registry for `localhost/...` (configured in kind-config.yaml)."""


@functools.cache
def ensure_registry(image: str) -> None:
    """Start the registry with this image, unless it is running."""
    if output("docker", "ps", "-q", "--filter", f"name=^{CONTAINER}$"):
        return
    output("docker", "rm", "-f", CONTAINER, quiet=True)
    address = f"127.0.0.1:{PORT}:5000"
    volume = f"{VOLUME}:/var/lib/registry"
    output("docker", "run", "-d", "--restart=always", "-p", address, "-v", volume, "--name", CONTAINER, image)


def remove(*, with_images: bool) -> None:
    """Remove the registry. Its images are kept for the next one, unless `with_images`."""
    output("docker", "rm", "--force", CONTAINER, quiet=True)
    if with_images:
        output("docker", "volume", "rm", "--force", VOLUME, quiet=True)


def is_large() -> bool:
    """Whether the registry's images take too much disk. False if the engine's disk is not accessible from here."""
    folder = output("docker", "volume", "inspect", "--format", "{{.Mountpoint}}", VOLUME, quiet=True)
    return bool(folder) and disk_usage(Path(folder)) > LARGE_MEGABYTES * 2**20


def disk_usage(folder: Path) -> int:
    """Disk usage of a folder in bytes; 0 if it cannot be read."""
    paths = (Path(path) / name for path, _, names in os.walk(folder) for name in names)
    return sum(path.lstat().st_blocks * 512 for path in paths if path.exists() or path.is_symlink())


def is_pushed(image: str) -> bool:
    """Whether the registry holds this image."""
    repository, _, tag = _below_host(image).rpartition(":")
    request = urllib.request.Request(f"http://localhost:{PORT}/v2/{repository}/manifests/{tag}", method="HEAD")
    request.add_header("Accept", "application/vnd.docker.distribution.manifest.v2+json")
    request.add_header("Accept", "*/*")
    try:
        with urllib.request.urlopen(request, timeout=10):  # noqa: S310 - always http
            return True
    except urllib.error.URLError:
        return False


def push(image: str) -> None:
    """Push the layers that the registry lacks."""
    pushed = f"localhost:{PORT}/{_below_host(image)}"
    output("docker", "tag", image, pushed)
    output("docker", "push", "-q", pushed)
    output("docker", "rmi", pushed)


def is_pulled(image: str) -> bool:
    """Whether every node of the cluster holds this image."""
    return all(
        image in output("docker", "exec", node, "ctr", "-n", "k8s.io", "images", "ls", "-q")
        for node in kind.nodes("running")
    )


def connect_nodes() -> None:
    """Configure the registry on the nodes. Call this once, before images are pulled concurrently."""
    networks = output("docker", "inspect", "-f", "{{json .NetworkSettings.Networks}}", CONTAINER)
    if '"kind"' not in networks:
        output("docker", "network", "connect", "kind", CONTAINER)
    hosts = f'[host."http://{CONTAINER}:5000"]'
    for node in kind.nodes("running"):
        output("docker", "exec", node, "mkdir", "-p", HOSTS)
        output("docker", "exec", "-i", node, "cp", "/dev/stdin", f"{HOSTS}/hosts.toml", text=hosts)


def pull(image: str) -> None:
    """Pull the image on every node of the cluster. Only missing layers are transferred."""
    for node in kind.nodes("running"):
        output("docker", "exec", node, "crictl", "pull", image)


def forget(image: str) -> None:
    """Remove an image from the nodes. The registry keeps it, for a rollback."""
    for node in kind.nodes("running"):
        output("docker", "exec", node, "crictl", "rmi", image, quiet=True)


def _below_host(image: str) -> str:
    return image.removeprefix("localhost/")
