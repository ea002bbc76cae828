"""How large the images are and how long they take to build, against what one would write first.

    .venvs/dev/bin/python benchmarks/image_sizes.py

`naive` is Debian with what the official `python:3.11` image holds (the packages of buildpack-deps) and a plain
`pip install` of the same stages: no lock; compilers and pip's cache stay. No build uses earlier layers, but ours
mounts a cache folder for pip, as it always does. `again` is ours after one line of code has changed. `load` is ours
into the cluster's node, where one runs (`make cluster`), with no layer of it there but the base's. Sizes are as the
builder (docker or buildah) prints them. The packages are those of the environments in `.venvs`, which come from the
same locks.
"""

import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from document import Goal, publish
from harness import REPO, options_of

from wakee_tools.cluster import kind, registry
from wakee_tools.cluster.choice import ClusterKind, cluster_kind
from wakee_tools.images import build, containerd
from wakee_tools.images.base import base_image, public_base
from wakee_tools.images.engine import size

T = TypeVar("T")

IMAGES = ("health", "drift", "train", "airflow", "sandbox")
COMPARED = ("health", "drift")
LARGEST = 5
WHY = (
    "The drift image holds Evidently, which requires plotly, scikit-learn, scipy and nltk: what it requires only for"
    " its web service is left out (images/drift/overrides.txt). Compiled Python files are a fifth of the image; without"
    " them every start would compile again, because the root file system is read-only."
)
LIMIT = 0.4
MEGABYTE = 1e6
BUILDPACK = (
    "autoconf automake bzip2 ca-certificates curl default-libmysqlclient-dev dpkg-dev file g++ gcc git gnupg"
    " imagemagick libbz2-dev libc6-dev libcurl4-openssl-dev libdb-dev libevent-dev libffi-dev libgdbm-dev"
    " libglib2.0-dev libgmp-dev libjpeg-dev libkrb5-dev liblzma-dev libmagickcore-dev libmagickwand-dev"
    " libmaxminddb-dev libncurses5-dev libncursesw5-dev libpng-dev libpq-dev libreadline-dev libsqlite3-dev"
    " libssl-dev libtool libwebp-dev libxml2-dev libxslt-dev libyaml-dev make mercurial openssh-client patch"
    " procps python3-dev subversion unzip wget xz-utils zlib1g-dev"
)
NAIVE = """
FROM {base}
RUN apt-get update && apt-get install -y --no-install-recommends {packages}
COPY images /app
RUN --mount=type=secret,id=pip_conf,target=/etc/pip.conf \\
    --mount=type=secret,id=ca_bundle,target=/etc/ssl/build-ca.crt \\
    python3 -m venv /venv && /venv/bin/pip install /app/contract /app/common /app/{name}
ENTRYPOINT ["/venv/bin/wakee-{name}"]
"""


def build_naive(name: str) -> str:
    """What one would write first for the stages of an image; returns the built image's name."""
    image = f"localhost/naive/{name}:1"
    with tempfile.NamedTemporaryFile("w", suffix=".Dockerfile") as file:
        file.write(NAIVE.format(base=base_image() or public_base(), packages=BUILDPACK, name=name))
        file.flush()
        build.build(name, image, recipe=file.name, cached=False)
    return image


def build_ours(name: str, *, cached: bool = False) -> str:
    """Ours, under a name of its own; returns it."""
    image = f"localhost/bench/{name}:1"
    build.build(name, image, cached=cached)
    return image


def build_again(name: str) -> str:
    """Ours once more, one line of its code changed."""
    code = next((REPO / "images" / name / "src").glob("*/cli.py"), REPO / "dags" / "model_retrain.py")
    before = code.read_text()
    try:
        code.write_text(f"{before}# changed\n")
        return build_ours(name, cached=True)
    finally:
        code.write_text(before)


def load(image: str) -> str:
    """Seconds until the cluster's nodes have an image; empty where no node runs."""
    if cluster_kind() is ClusterKind.DEBIAN:
        if not containerd.runs():
            return ""
        _, seconds = _timed(lambda: containerd.load(image))
        containerd.forget(image)
    else:
        if not kind.nodes("running"):
            return ""
        registry.connect_nodes()
        _, seconds = _timed(lambda: (registry.push(image), registry.pull(image)))
        registry.forget(image)
    return f"{seconds:.0f} s"


def megabytes(image: str) -> float:
    """Of a built image, all its layers together."""
    number, unit = re.fullmatch(r"([\d.]+) ?([kKMG]B)", size(image)).groups()  # type: ignore[union-attr]
    return float(number) * {"KB": 1e-3, "MB": 1.0, "GB": 1e3}[unit.upper()]


def packages(image: str) -> str:
    """The largest folders of an image's environment, with their megabytes."""
    folders = (REPO / ".venvs" / image / "lib").glob("python*/site-packages/*")
    sizes = {folder.name: _size(folder) for folder in folders if folder.is_dir()}
    largest = sorted(sizes.items(), key=lambda item: -item[1])[:LARGEST]
    return ", ".join(f"{package} {size:.0f}" for package, size in largest)


def _size(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / MEGABYTE


def row(name: str, *, naive: bool) -> tuple[str, float]:
    """An image's line of the table, and its share of the naive one's size (0 where there is none)."""
    built, cold = _timed(lambda: build_ours(name))
    loading = load(built)
    build_ours(name, cached=True)  # not counted: buildah builds upon no layer of a build without a cache
    _, again = _timed(lambda: build_again(name))
    ours, cells, share = megabytes(built), ["", "", ""], 0.0
    if naive:
        image, seconds = _timed(lambda: build_naive(name))
        share = ours / megabytes(image)
        cells = [f"{megabytes(image):.0f} MB", f"{100 * share:.0f} %", f"{seconds:.0f} s"]
    size, part, naive_build = cells
    words = [
        name,
        f"{ours:.0f} MB",
        size,
        part,
        f"{cold:.0f} s",
        f"{again:.0f} s",
        naive_build,
        loading,
        packages(name),
    ]
    return f"| {' | '.join(words)} |", share


def _timed(action: Callable[[], T]) -> tuple[T, float]:
    started = time.monotonic()
    return action(), time.monotonic() - started


def main() -> None:
    """Build, look and tell."""
    options = options_of(__doc__ or "", repetitions=1)
    base_image()
    rows = [
        "| image | size | naive | share | build, cold | again | naive build | load | largest packages, MB |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    goals = []
    for name in COMPARED[:1] if options.quick else IMAGES:
        line, share = row(name, naive=name in COMPARED)
        rows.append(line)
        print(line, flush=True)
        if share:
            measured = f"{100 * share:.0f} %"
            goals.append(Goal(f"size of the {name} image", "40 % of the naive one", measured, share <= LIMIT))
    publish("image_sizes", goals, "\n".join([*rows, "", WHY]), write=options.publish)


if __name__ == "__main__":
    main()
