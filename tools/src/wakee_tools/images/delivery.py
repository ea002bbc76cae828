"""Deliver images to the cluster: build them if they have changed, load them if the nodes lack them."""

import time
from concurrent.futures import ThreadPoolExecutor

from wakee_tools.cluster import registry
from wakee_tools.cluster.choice import ClusterKind, cluster_kind
from wakee_tools.images import built, containerd
from wakee_tools.images.build import BASES, build_only, tag
from wakee_tools.images.engine import builder, is_built, size, tags_of
from wakee_tools.shell import output


def deliver(names: list[str], *, early: bool = False) -> None:
    """Build and load images, and record their tags.

    Args:
        names: Names of the images.
        early: The cluster may not exist yet.
    """
    if cluster_kind() is ClusterKind.KIND:
        start_registry()
        if not early:
            registry.connect_nodes()
    # Two at a time: installing packages keeps one core busy, and the disk is shared.
    with ThreadPoolExecutor(max_workers=2) as pool:
        images = dict(zip(names, pool.map(lambda name: make(name, early), names), strict=True))
    built.note(images)


def forget_earlier() -> None:
    """Remove older tags of the images, after the deployment no longer uses them."""
    for image in [*built.images().values(), *(tag(base) for base in BASES)]:
        forget_others(image)


def load(image: str, early: bool) -> list[str]:
    """Load an image into the cluster's nodes. Returns what was done. With `early`, there may be no node yet."""
    done = []
    if cluster_kind() is ClusterKind.DEBIAN:
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
    """Remove older tags of the same image, which would fill the disk."""
    others = [other for other in tags_of(image.rpartition(":")[0]) if other != image]
    for other in others:
        output(builder(), "rmi", other, quiet=True)
        (registry if cluster_kind() is ClusterKind.KIND else containerd).forget(other)


def make(name: str, early: bool) -> str:
    """Build and load one image, and print what was done and how long it took. Returns its tag."""
    start, before = time.monotonic(), is_built(tag(name))
    image = build_only(name)
    done = ([] if before else ["built"]) + load(image, early)
    if done or not early:
        what = " and ".join(done) or "unchanged"
        print(f"{image:44s} {size(image):>8s}  {what} in {time.monotonic() - start:.0f} s", flush=True)
    return image


def start_registry() -> None:
    """Build and run the registry that the kind cluster pulls from."""
    registry.ensure_registry(build_only("registry"))
