"""Drawing in head coordinates: the origin between eyes and mouth, x to the right, y down, the chin at y = 1."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from wakee_sandbox.people import Colour

Point = tuple[float, float]


@dataclass(frozen=True)
class Pen:
    """Draws shapes on an image, translated, rotated and scaled with the head."""

    draw: ImageDraw.ImageDraw
    centre: Point
    scale: float
    angle: float

    @classmethod
    def on(cls, image: Image.Image, centre: Point, scale: float, angle: float) -> "Pen":
        """Create a pen whose unit is `scale` pixels. It blends colours with an alpha channel."""
        return cls(ImageDraw.Draw(image, "RGBA"), centre, scale, angle)

    def shape(self, points: Sequence[Point], colour: Colour, opacity: float = 1.0) -> None:
        """Draw a filled polygon."""
        self.draw.polygon([self._place(point) for point in points], fill=(*colour, round(255 * opacity)))

    def ellipse(self, centre: Point, radii: Point, colour: Colour, opacity: float = 1.0) -> None:
        """Draw a filled ellipse."""
        self.shape(arc(centre, radii, 0, 360), colour, opacity)

    def line(self, points: Sequence[Point], colour: Colour, width: float) -> None:
        """Draw a line with round ends and joints."""
        pixels = [self._place(point) for point in points]
        thickness = max(1, round(width * self.scale))
        self.draw.line(pixels, fill=colour, width=thickness, joint="curve")
        for x, y in (pixels[0], pixels[-1]):
            half = thickness / 2
            self.draw.ellipse((x - half, y - half, x + half, y + half), fill=colour)

    def _place(self, point: Point) -> Point:
        x, y = point
        cosine, sine = math.cos(self.angle), math.sin(self.angle)
        return (
            self.centre[0] + self.scale * (x * cosine - y * sine),
            self.centre[1] + self.scale * (x * sine + y * cosine),
        )


def arc(centre: Point, radii: Point, start: float, end: float, steps: int = 36) -> list[Point]:
    """Compute points of an ellipse from one angle to another, in degrees clockwise from the right."""
    angles = [math.radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return [(centre[0] + radii[0] * math.cos(a), centre[1] + radii[1] * math.sin(a)) for a in angles]


def curve(start: Point, bend: Point, end: Point, steps: int = 16) -> list[Point]:
    """Compute points of a quadratic Bezier curve."""
    shares = [step / steps for step in range(steps + 1)]
    return [
        (
            (1 - t) ** 2 * start[0] + 2 * t * (1 - t) * bend[0] + t**2 * end[0],
            (1 - t) ** 2 * start[1] + 2 * t * (1 - t) * bend[1] + t**2 * end[1],
        )
        for t in shares
    ]
