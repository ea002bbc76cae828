"""The images that the cluster runs."""

from pathlib import Path

RECORD = Path(__file__).parents[2] / ".build" / "images.env"


def image_of(name: str) -> str:
    """Return the image that `make images` loaded into the cluster."""
    return dict(line.split("=", 1) for line in RECORD.read_text().splitlines())[name]
