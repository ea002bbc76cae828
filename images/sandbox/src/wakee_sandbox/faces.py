"""Drawn faces in place of photographs. Each emotion has its own features, which a model can learn.

* boredom: the eyelids fall, and the eyes get bags;
* confusion: the head tilts and one eyebrow rises;
* engagement: the mouth smiles and opens, and the eyes turn to the camera;
* frustration: the eyebrows draw down to a V over a furrowed brow, and the cheeks flush.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageFilter
from wakee_contract.emotions import HIGHEST_LEVEL

from wakee_sandbox.head import draw_head, draw_shoulders
from wakee_sandbox.pen import Pen, arc, curve
from wakee_sandbox.people import Colour, Person, Shot, mix, person

SUPERSAMPLING = 2
LARGEST_TILT = math.radians(20)
DARK: Colour = (30, 18, 18)
WHITE: Colour = (248, 246, 242)
RED: Colour = (214, 40, 44)
SENSOR_NOISE = 2.5


@dataclass(frozen=True)
class Expression:
    """The four levels, scaled to 0 to 1."""

    boredom: float
    confusion: float
    engagement: float
    frustration: float


def draw(levels: Sequence[float], identity: int | Shot, size: int = 256) -> Image.Image:
    """Draw a face that shows the four emotions. Deterministic.

    Args:
        levels: Boredom, confusion, engagement and frustration, 0 to 3 each.
        identity: Selects the person, background, position and light. A number selects all of them.
        size: Side of the square picture in pixels.

    Returns:
        An RGB image.
    """
    expression = Expression(*(min(max(level / HIGHEST_LEVEL, 0.0), 1.0) for level in levels))
    who = person(identity)
    side = size * SUPERSAMPLING
    image = _background(who, side)
    tilt = who.lean + who.side * LARGEST_TILT * expression.confusion
    centre = (who.centre[0] * side, who.centre[1] * side)
    draw_shoulders(Pen.on(image, centre, who.scale * side, 0), who)
    pen = Pen.on(image, centre, who.scale * side, tilt)
    draw_head(pen, who)
    for part in (_flush, _furrows, _eyes, _glasses, _brows, _mouth):
        part(pen, who, expression)
    return _photographed(image.reduce(SUPERSAMPLING), who)


def _background(who: Person, side: int) -> Image.Image:
    top, bottom = who.background
    column = Image.new("RGB", (1, 2))
    column.putpixel((0, 0), top)
    column.putpixel((0, 1), bottom)
    return column.resize((side, side), Image.Resampling.BILINEAR)


def _flush(pen: Pen, who: Person, expression: Expression) -> None:
    for x in (-0.48, 0.48):
        for radius in (0.27, 0.24, 0.21, 0.18, 0.15, 0.12):
            pen.ellipse((x * who.head_width / 0.8, 0.26), (radius, radius * 0.75), RED, 0.18 * expression.frustration)


def _furrows(pen: Pen, who: Person, expression: Expression) -> None:
    """Draw furrows: vertical between the eyebrows for frustration, across the forehead for confusion."""
    upright = expression.frustration
    colour = mix(who.skin, DARK, 0.75 * upright)
    for x in (-0.06, 0.06):
        pen.line([(x, -0.3 - 0.16 * upright), (x * 0.8, -0.3 + 0.08 * upright)], colour, 0.012 + 0.024 * upright)


def _eyes(pen: Pen, who: Person, expression: Expression) -> None:
    aside = 0.085 * who.side * (1 - expression.engagement)
    for x in (-0.33, 0.33):
        _bags(pen, who, x, expression.boredom)
        pen.ellipse((x, -0.1), (0.205, 0.165), mix(who.skin, DARK, 0.55))
        pen.ellipse((x, -0.1), (0.19, 0.15), WHITE)
        pen.ellipse((x + aside, -0.1), (0.105, 0.115), who.iris)
        pen.ellipse((x + aside, -0.1), (0.055, 0.06), DARK)
        pen.ellipse((x + aside + 0.03, -0.14), (0.022, 0.022), WHITE)
        _lid(pen, who, x, expression.boredom)


def _bags(pen: Pen, who: Person, x: float, boredom: float) -> None:
    colour = mix(who.skin, DARK, 0.5 * boredom)
    pen.line(arc((x, -0.06), (0.18, 0.18), 35, 145), colour, 0.01 + 0.02 * boredom)


def _lid(pen: Pen, who: Person, x: float, boredom: float) -> None:
    """Draw the upper lid. It covers a tenth of the eye without boredom, nine tenths with full boredom."""
    edge = -0.1 - 0.15 + 0.3 * (0.06 + 0.84 * boredom)
    half = 0.205 * math.sqrt(max(1 - ((edge + 0.1) / 0.165) ** 2, 0.0))
    start = math.degrees(math.asin(max(-1.0, min(1.0, (edge + 0.1) / 0.165))))
    pen.shape(arc((x, -0.1), (0.205, 0.165), 180 - start, 360 + start), mix(who.skin, DARK, 0.14))
    pen.line([(x - half, edge), (x + half, edge)], DARK, 0.035)


def _glasses(pen: Pen, who: Person, _expression: Expression) -> None:
    if who.glasses:
        for x in (-0.33, 0.33):
            pen.line(arc((x, -0.09), (0.27, 0.23), 0, 360), (40, 40, 46), 0.022)
        pen.line([(-0.06, -0.1), (0.06, -0.1)], (40, 40, 46), 0.022)


def _brows(pen: Pen, who: Person, expression: Expression) -> None:
    colour, halo = _brow_colours(who)
    drop = 0.2 * expression.frustration
    for x in (-1, 1):
        rise = 0.19 * expression.confusion if x == who.side else 0.0
        inner, outer = (0.11 * x, -0.37 - rise + drop), (0.54 * x, -0.36 - rise - drop * 0.35)
        bend = (0.36 * x, -0.43 - 1.35 * rise)
        pen.line(curve(inner, bend, outer), halo, 0.115)
        pen.line(curve(inner, bend, outer), colour, 0.07)


def _brow_colours(who: Person) -> tuple[Colour, Colour]:
    """Dark brows on a band of lighter skin, so that they are visible on every skin, and also with grey hair."""
    return mix(who.hair, DARK, 0.85), mix(who.skin, WHITE, 0.12 if sum(who.skin) > 420 else 0.3)


def _mouth(pen: Pen, who: Person, expression: Expression) -> None:
    smile = expression.engagement
    half, height = 0.24 + 0.13 * smile, 0.56
    left, right = (-half, height - 0.13 * smile), (half, height - 0.13 * smile)
    upper = curve(left, (0, height + 0.02 + 0.1 * smile), right)
    lower = curve(left, (0, height + 0.1 + 0.48 * smile), right)
    lips = mix(who.skin, (176, 44, 58), 0.6)
    pen.line([*upper], mix(lips, DARK, 0.3), 0.075)
    pen.line([*lower], lips, 0.085)
    pen.shape([*upper, *reversed(lower)], mix(lips, DARK, 0.35 + 0.5 * smile))
    teeth = curve(left, (0, height + 0.05 + 0.27 * smile), right)
    pen.shape([*upper, *reversed(teeth)], WHITE, smile)
    pen.line([*upper], mix(lips, DARK, 0.6), 0.025)


def _photographed(image: Image.Image, who: Person) -> Image.Image:
    """Apply light from one side, the brightness of the room, and sensor noise."""
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(0.4)), dtype=np.float32)
    along = np.linspace(-1, 1, image.width, dtype=np.float32)
    slope = math.cos(who.light_angle) * along[None, :] + math.sin(who.light_angle) * along[:, None]
    light = who.brightness * (1 + who.light_strength * slope)
    noise = np.random.default_rng(who.noise_seed).standard_normal((*pixels.shape[:2], 1), dtype=np.float32)
    lit = pixels * light[:, :, None] + SENSOR_NOISE * noise
    return Image.fromarray(np.clip(lit, 0, 255).astype(np.uint8))
