"""The image registry beside the kind cluster, through which images reach its nodes.

A node pulls only the layers that it lacks, so a changed line of code is there in seconds; `kind load` sends whole
images. As in kind's documentation (https://kind.sigs.k8s.io/docs/user/local-registry/), with two differences: the
registry is Debian's package `docker-registry` on our base image, so it needs no public image, and the nodes know it
under the name `localhost`, so images have the same names on every kind of cluster.
"""

import functools
import os
import urllib.error
import urllib.request

from containers.engine import run

CLUSTER = "wakee"
CONTAINER, VOLUME, IMAGE = "wakee-registry", "wakee-registry", "localhost/wakee/registry"
PORT = int(os.environ.get("WAKEE_REGISTRY_PORT", "5001"))
LABEL = f"label=io.x-k8s.kind.cluster={CLUSTER}"
HOSTS = "/etc/containerd/certs.d/localhost"
"""Where containerd looks up which server answers for `localhost/...` (kind-config.yaml names the folder)."""


def kind_nodes() -> list[str]:
    """The containers of the cluster's running nodes."""
    return run("docker", "ps", "--filter", LABEL, "--format", "{{.Names}}").splitlines()


@functools.cache
def ensure_registry(image: str) -> None:
    """Run the registry, with this image, unless it runs."""
    if run("docker", "ps", "-q", "--filter", f"name=^{CONTAINER}$"):
        return
    run("docker", "rm", "-f", CONTAINER, quiet=True)
    address = f"127.0.0.1:{PORT}:5000"
    volume = f"{VOLUME}:/var/lib/registry"
    run("docker", "run", "-d", "--restart=always", "-p", address, "-v", volume, "--name", CONTAINER, image)


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
    """Send the layers that the registry lacks."""
    pushed = f"localhost:{PORT}/{_below_host(image)}"
    run("docker", "tag", image, pushed)
    run("docker", "push", "-q", pushed)
    run("docker", "rmi", pushed)


def is_pulled(image: str) -> bool:
    """Whether every node of the cluster holds this image."""
    return all(
        image in run("docker", "exec", node, "ctr", "-n", "k8s.io", "images", "ls", "-q") for node in kind_nodes()
    )


def connect_nodes() -> None:
    """Let the nodes find the registry. Once, before images are pulled side by side."""
    networks = run("docker", "inspect", "-f", "{{json .NetworkSettings.Networks}}", CONTAINER)
    if '"kind"' not in networks:
        run("docker", "network", "connect", "kind", CONTAINER)
    hosts = f'[host."http://{CONTAINER}:5000"]'
    for node in kind_nodes():
        run("docker", "exec", node, "mkdir", "-p", HOSTS)
        run("docker", "exec", "-i", node, "cp", "/dev/stdin", f"{HOSTS}/hosts.toml", input=hosts)


def pull(image: str) -> None:
    """Bring the image to every node of the cluster: only the layers that it lacks."""
    for node in kind_nodes():
        run("docker", "exec", node, "crictl", "pull", image)


def forget(image: str) -> None:
    """Remove an image from the nodes; the registry keeps it, for a rollback."""
    for node in kind_nodes():
        run("docker", "exec", node, "crictl", "rmi", image, quiet=True)


def _below_host(image: str) -> str:
    return image.removeprefix("localhost/")
