"""The images that are in the cluster now: `NAME=IMAGE` lines in .build/images.env."""

from wakee_tools.paths import BUILD
from wakee_tools.shell import ToolError

IMAGES_ENV = BUILD / "images.env"


def note(made: dict[str, str]) -> None:
    """Note what is in the cluster now, besides what was noted before."""
    IMAGES_ENV.parent.mkdir(exist_ok=True)
    IMAGES_ENV.write_text("".join(f"{name}={image}\n" for name, image in {**known(), **made}.items()))


def known() -> dict[str, str]:
    """Image by name; empty when none was made yet."""
    return dict(line.split("=", 1) for line in IMAGES_ENV.read_text().splitlines()) if IMAGES_ENV.exists() else {}


def images() -> dict[str, str]:
    """Image by name.

    Raises:
        ToolError: none was made yet.
    """
    if found := known():
        return found
    raise ToolError("no images yet: run 'make images'")


def image_of(name: str) -> str:
    """The image of this name, with its tag.

    Raises:
        ToolError: it was not made yet.
    """
    try:
        return images()[name]
    except KeyError as error:
        raise ToolError(f"no image {name} yet: run 'make images'") from error
