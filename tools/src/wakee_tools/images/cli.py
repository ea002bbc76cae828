"""`wakee images`."""

from typing import Annotated

import typer

from wakee_tools.cluster.lifecycle import prepare_build
from wakee_tools.images import build
from wakee_tools.images.build import INGREDIENTS
from wakee_tools.images.delivery import deliver, forget_earlier
from wakee_tools.shell import ToolError

Names = Annotated[list[str] | None, typer.Argument(help=f"Names of images. Default: all of {', '.join(INGREDIENTS)}.")]


def images(
    names: Names = None,
    build_only: Annotated[bool, typer.Option("--build-only", help="Build, and print only the names.")] = False,
    early: Annotated[bool, typer.Option("--early", help="Continue if the cluster does not exist yet.")] = False,
    forget: Annotated[bool, typer.Option("--forget", help="Remove earlier images from the cluster instead.")] = False,
) -> None:
    """Build the images that changed, and load them into the cluster.

    A tag is a digest of all inputs of an image, so an unchanged one is neither built nor loaded again. The builder is
    Docker if an engine responds, else buildah. BASE_IMAGE names another base image. TORCH_VARIANT=cpu|cuda chooses the
    PyTorch build in the training image.
    """
    chosen = names or list(INGREDIENTS)
    if unknown := set(chosen) - INGREDIENTS.keys():
        known = ", ".join(INGREDIENTS)
        raise ToolError(f"Unknown image {', '.join(sorted(unknown))}. Use some of {known}.")
    if forget:
        forget_earlier()
        return
    prepare_build()
    if build_only:
        print_built(chosen)
    else:
        deliver(chosen, early=early)


def print_built(names: list[str]) -> None:
    """Build images, and print their names and tags."""
    for name in names:
        print(build.build_only(name))
