"""The parts of a drawn face that do not depend on emotions: shoulders, head, hair, nose, beard."""

from wakee_sandbox.pen import Pen, arc, curve
from wakee_sandbox.people import Colour, Person, mix

SHADOW: Colour = (40, 20, 20)
LIGHT: Colour = (255, 246, 236)


def draw_shoulders(pen: Pen, who: Person) -> None:
    """Draw neck and clothes, which stay upright when the head tilts."""
    pen.ellipse((0, 2.15), (1.5, 1.0), mix(who.clothes, SHADOW, 0.3))
    pen.ellipse((0, 2.2), (1.45, 1.0), who.clothes)
    pen.shape([(-0.34, 0.5), (0.34, 0.5), (0.4, 1.35), (0, 1.5), (-0.4, 1.35)], mix(who.skin, SHADOW, 0.22))


def draw_head(pen: Pen, who: Person) -> None:
    """Draw the head with its hair, without any expression."""
    width = who.head_width
    _hair_behind(pen, who)
    for x in (-width, width):
        pen.ellipse((x, 0.02), (0.13, 0.2), mix(who.skin, SHADOW, 0.12))
    pen.ellipse((0, 0), (width, 1.02), mix(who.skin, SHADOW, 0.2))
    pen.ellipse((0, -0.02), (width - 0.025, 1.0), who.skin)
    pen.ellipse((0, -0.35), (width * 0.75, 0.5), mix(who.skin, LIGHT, 0.25), 0.35)
    if who.beard:
        _beard(pen, who)
    _hair_before(pen, who)
    _nose(pen, who)


def _hair_behind(pen: Pen, who: Person) -> None:
    width = who.head_width
    back = mix(who.hair, SHADOW, 0.25)
    if who.style == "long":
        pen.shape([*arc((0, -0.2), (width + 0.24, 1.02), 180, 360), (width + 0.3, 1.2), (-width - 0.3, 1.2)], back)
    elif who.style == "curly":
        for x, y in arc((0, -0.25), (width + 0.06, 0.86), 165, 375, steps=12):
            pen.ellipse((x, y), (0.25, 0.25), back)
    elif who.style == "bun":
        pen.ellipse((0, -1.2), (0.32, 0.3), who.hair)


def _hair_before(pen: Pen, who: Person) -> None:
    """Draw the front hair. Its lower edge stays above the highest position of the eyebrows."""
    if who.style == "bald":
        pen.ellipse((-0.2, -0.75), (0.25, 0.12), LIGHT, 0.3)
        return
    width = who.head_width
    outline = arc((0, -0.1), (width + 0.05, 1.02), 196, 344)
    height = -0.74 if who.style == "fringe" else -0.86
    inner = curve((width * 0.98, -0.36), (width * 0.8, height), (0, height))
    inner += curve((0, height), (-width * 0.8, height), (-width * 0.98, -0.36))
    pen.shape([*outline, *inner], who.hair)
    pen.line(arc((0, -0.12), (width * 0.72, 0.9), 225, 275), mix(who.hair, LIGHT, 0.25), 0.05)


def _nose(pen: Pen, who: Person) -> None:
    pen.line(curve((0.03, -0.02), (0.13, 0.26), (0.02, 0.3)), mix(who.skin, SHADOW, 0.3), 0.035)
    for x in (-0.06, 0.07):
        pen.ellipse((x, 0.3), (0.03, 0.02), mix(who.skin, SHADOW, 0.55))


def _beard(pen: Pen, who: Person) -> None:
    """Draw a beard below the cheeks, with room for the mouth."""
    width = who.head_width
    colour = mix(who.hair, who.skin, 0.3)
    outer = arc((0, 0.0), (width, 1.06), 15, 165)
    inner = arc((0, 0.3), (width * 0.86, 0.56), 165, 15)
    pen.shape([*outer, *inner], colour)
    pen.ellipse((0, 0.6), (0.42, 0.3), mix(who.skin, colour, 0.12))
