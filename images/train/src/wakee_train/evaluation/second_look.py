"""A page with the test pictures whose labels deserve a second look.

It shows faces of people, so it stays in R2, in the run's folder below `private/`. No record names it, because records
are copied to MLflow. Nothing of it is published.
"""

import base64
import io
from html import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from wakee_common.pictures import Pixels
from wakee_contract.emotions import EMOTIONS

from wakee_train.data.shards import SplitPixels
from wakee_train.evaluation.metrics import served

SECOND_LOOK = "second_look.html"
MOST_PICTURES = 20
"""Largest number of pictures per table."""
SIDE = 128
"""Side of a thumbnail in pixels."""
PAGE = """<!doctype html><meta charset="utf-8"><title>Second look at {version}</title>
<style>body{{font-family:sans-serif;max-width:70rem;margin:auto}}td,th{{padding:.2rem .7rem;text-align:left}}</style>
<h1>Test pictures of {version} to check again</h1>
<p>This page shows people's faces. Do not publish it. Levels are from 0 to 3, in the order {emotions}.</p>
{tables}
"""

Levels = NDArray[np.float32]


def page(version: str, test: SplitPixels, challenger: Levels, champion: Levels | None) -> bytes:
    """Render the page: the largest errors of the challenger, and its largest differences from the champion.

    Args:
        version: Name of the challenger.
        test: The test pictures.
        challenger: Its predictions, shape (N, 4).
        champion: Those of the version in production, shape (N, 4); None without one.
    """
    challenger = served(challenger)
    tables = [_table("Largest errors", test, challenger, champion, np.abs(challenger - test.labels))]
    if champion is not None:
        champion = served(champion)
        difference = np.abs(challenger - champion)
        tables.append(_table("Largest differences from the champion", test, challenger, champion, difference))
    emotions = ", ".join(EMOTIONS)
    return PAGE.format(version=escape(version), emotions=emotions, tables="\n".join(tables)).encode()


def worst(distances: Levels, most: int = MOST_PICTURES) -> list[int]:
    """Return the positions of the pictures with the largest mean distance, largest first.

    Args:
        distances: Shape (N, 4).
        most: Largest number of positions.
    """
    return [int(place) for place in np.argsort(-distances.mean(axis=1), kind="stable")[:most]]


def _table(title: str, test: SplitPixels, challenger: Levels, champion: Levels | None, distances: Levels) -> str:
    head = "".join(f"<th>{name}</th>" for name in ("picture", "name", "labels", "challenger", "champion", "mean"))
    rows = "".join(
        f'<tr><td><img alt="" src="{_thumbnail(test.pixels[at])}"></td><td>{escape(test.names[at])}</td>'
        f"<td>{_levels(test.labels[at])}</td><td>{_levels(challenger[at])}</td>"
        f"<td>{'-' if champion is None else _levels(champion[at])}</td><td>{distances[at].mean():.2f}</td></tr>"
        for at in worst(distances)
    )
    return f"<h2>{title}</h2><table><tr>{head}</tr>{rows}</table>"


def _levels(values: Levels) -> str:
    return " ".join(f"{value:.1f}" for value in values)


def _thumbnail(pixels: Pixels) -> str:
    file = io.BytesIO()
    Image.fromarray(pixels).resize((SIDE, SIDE)).save(file, "JPEG")
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"
