"""The images that are loaded in the cluster: `NAME=IMAGE` lines in .build/images.env."""

from wakee_tools.paths import BUILD
from wakee_tools.shell import ToolError

IMAGES_ENV = BUILD / "images.env"


def note(made: dict[str, str]) -> None:
    """Add images to those that are recorded as loaded."""
    IMAGES_ENV.parent.mkdir(exist_ok=True)
    IMAGES_ENV.write_text("".join(f"{name}={image}\n" for name, image in {**known(), **made}.items()))


def known() -> dict[str, str]:
    """Read the loaded images by name; empty if none was built yet."""
    return dict(line.split("=", 1) for line in IMAGES_ENV.read_text().splitlines()) if IMAGES_ENV.exists() else {}


def images() -> dict[str, str]:
    """Read the loaded images by name.

    Raises:
        ToolError: none was built yet.
    """
    if found := known():
        return found
    raise ToolError("There are no images yet. Run 'make images'.")


def image_of(name: str) -> str:
    """Return the image of this name, with its tag.

    Raises:
        ToolError: the image was not built yet.
    """
    try:
        return images()[name]
    except KeyError as error:
        raise ToolError(f"There is no image {name} yet. Run 'make images'.") from error
