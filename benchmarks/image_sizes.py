"""How large the images are, and which packages make them so.

    .venvs/drift/bin/python benchmarks/image_sizes.py

Sizes are buildah's, of the newest build of each image; without buildah, or before `make images`, there is nothing to
tell. The packages are those of the environments in `.venvs`, which come from the same locks.
"""

import json
import shutil
import subprocess
from pathlib import Path

from document import publish
from harness import REPO, options_of

IMAGES = ("health", "drift", "train", "airflow", "sandbox")
LARGEST = 6
MEGABYTE = 1e6


def built() -> dict[str, float]:
    """Megabytes of the newest build of each image."""
    if not shutil.which("buildah"):
        return {}
    done = subprocess.run(["buildah", "images", "--json"], capture_output=True, text=True, check=False)
    found = json.loads(done.stdout or "[]") if done.returncode == 0 else []
    newest: dict[str, tuple[int, float]] = {}
    for image in found:
        for name in image.get("names") or []:
            repository, _, rest = name.rpartition("/")
            if repository == "localhost/wakee":
                key = rest.partition(":")[0]
                newest[key] = max(newest.get(key, (0, 0.0)), (image["created"], _megabytes(image)))
    return {name: size for name, (_, size) in newest.items()}


def _megabytes(image: dict[str, str]) -> float:
    number, unit = image["size"].split()
    return float(number) * {"KB": 1e-3, "MB": 1.0, "GB": 1e3}[unit]


def packages(image: str) -> dict[str, float]:
    """Megabytes of the largest folders of an image's environment."""
    folders = (REPO / ".venvs" / image / "lib").glob("python*/site-packages/*")
    sizes = {folder.name: _size(folder) for folder in folders if folder.is_dir()}
    return dict(sorted(sizes.items(), key=lambda item: -item[1])[:LARGEST])


def _size(folder: Path) -> float:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) / MEGABYTE


def main() -> None:
    """Look and tell."""
    options = options_of(__doc__ or "", repetitions=1)
    sizes = built()
    rows = ["| image | size | largest packages, MB |", "|---|---:|---|"]
    for name in IMAGES:
        if name in sizes:
            largest = ", ".join(f"{package} {size:.0f}" for package, size in packages(name).items())
            rows.append(f"| {name} | {sizes[name]:.0f} MB | {largest} |")
    publish("image_sizes", [], "\n".join(rows) if sizes else "No images here.", write=options.publish and bool(sizes))


if __name__ == "__main__":
    main()
