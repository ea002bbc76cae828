"""Load images into the containerd of the cluster from Debian's packages (tools/debian-cluster)."""

import tempfile
from pathlib import Path

from wakee_tools.images.engine import builder
from wakee_tools.paths import CACHE
from wakee_tools.shell import output, succeeds

SOCKET = "/run/wakee-airflow/containerd.sock"
CTR = ("ctr", "-a", SOCKET, "-n", "k8s.io")


def runs() -> bool:
    """Whether a node is running to load images into."""
    return succeeds("ctr", "-a", SOCKET, "version")


def is_loaded(image: str) -> bool:
    """Whether the node holds this image."""
    return image in output(*CTR, "images", "ls", "-q").splitlines()


def load(image: str) -> None:
    """Load the whole image into the node."""
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        archive = Path(folder) / "image.tar"
        if builder() == "docker":
            output("docker", "save", "-o", str(archive), image)
        else:
            output("buildah", "push", "-q", image, f"docker-archive:{archive}:{image}")
        output(*CTR, "images", "import", str(archive))


def forget(image: str) -> None:
    """Remove an image from the node. Running containers are not affected."""
    output(*CTR, "images", "rm", image, quiet=True)
