"""The person in a drawn picture and how it was taken: everything except the emotions."""

import math
import random
from dataclasses import dataclass, replace
from typing import Literal

Colour = tuple[int, int, int]
HairStyle = Literal["bald", "short", "fringe", "long", "curly", "bun"]

SKINS: tuple[Colour, ...] = (
    (250, 220, 196),
    (236, 196, 162),
    (220, 172, 134),
    (196, 144, 104),
    (164, 112, 78),
    (132, 88, 62),
    (108, 72, 52),
)
HAIRS: tuple[Colour, ...] = (
    (28, 22, 20),
    (58, 38, 26),
    (104, 66, 36),
    (150, 98, 48),
    (214, 176, 100),
    (150, 62, 34),
    (168, 168, 172),
)
IRISES: tuple[Colour, ...] = ((74, 46, 26), (54, 34, 22), (70, 112, 150), (74, 116, 78), (108, 122, 130))
CLOTHES: tuple[Colour, ...] = (
    (38, 70, 110),
    (120, 44, 50),
    (54, 92, 66),
    (196, 190, 178),
    (60, 60, 66),
    (190, 130, 50),
)
MOVED = 0.008
"""Largest movement of a face within a session, as a share of the picture's side."""
STYLES: tuple[HairStyle, ...] = ("bald", "short", "fringe", "long", "curly", "bun")


@dataclass(frozen=True)
class Person:
    """One person in front of one camera. Lengths are shares of the picture's side, angles are in radians."""

    skin: Colour
    hair: Colour
    iris: Colour
    clothes: Colour
    style: HairStyle
    head_width: float
    glasses: bool
    beard: bool
    side: int
    """Direction in which this person tilts the head and looks away: -1 or 1."""
    lean: float
    """Tilt of the head in a neutral expression."""
    centre: tuple[float, float]
    scale: float
    background: tuple[Colour, Colour]
    light_angle: float
    light_strength: float
    brightness: float
    noise_seed: int


@dataclass(frozen=True)
class Shot:
    """One picture of a person in a session. The person determines the face, the session place and light."""

    person: str
    session: str
    number: int


def person(identity: int | Shot) -> Person:
    """Derive person and circumstances from a number or a shot. Deterministic."""
    if isinstance(identity, int):
        return _person(random.Random(f"wakee-face-{identity}"))  # noqa: S311 - pictures, not secrets
    face = _person(random.Random(f"wakee-face-{identity.person}"))  # noqa: S311
    scene = _person(random.Random(f"wakee-scene-{identity.person}-{identity.session}"))  # noqa: S311
    chance = random.Random(f"wakee-shot-{identity.number}")  # noqa: S311
    return replace(
        face,
        clothes=scene.clothes,
        centre=(scene.centre[0] + chance.uniform(-MOVED, MOVED), scene.centre[1] + chance.uniform(-MOVED, MOVED)),
        scale=scene.scale * chance.uniform(1 - MOVED, 1 + MOVED),
        **{name: getattr(scene, name) for name in ("background", "light_angle", "light_strength", "brightness")},
        noise_seed=chance.getrandbits(32),
    )


def _person(chance: random.Random) -> Person:
    skin = _mixed(chance, SKINS)
    return Person(
        skin=skin,
        hair=chance.choice(HAIRS if sum(skin) > sum(SKINS[3]) else (*HAIRS[:3], HAIRS[-1])),
        iris=chance.choice(IRISES if sum(skin) > sum(SKINS[4]) else IRISES[:2]),
        clothes=chance.choice(CLOTHES),
        style=chance.choice(STYLES),
        head_width=chance.uniform(0.74, 0.86),
        glasses=chance.random() < 0.15,
        beard=chance.random() < 0.15,
        side=chance.choice((-1, 1)),
        lean=chance.uniform(-0.02, 0.02),
        centre=(chance.uniform(0.46, 0.54), chance.uniform(0.49, 0.55)),
        scale=chance.uniform(0.315, 0.375),
        background=(_pastel(chance), _pastel(chance)),
        light_angle=chance.uniform(0, 2 * math.pi),
        light_strength=chance.uniform(0.0, 0.22),
        brightness=chance.uniform(0.86, 1.1),
        noise_seed=chance.getrandbits(32),
    )


def mix(first: Colour, second: Colour, share: float) -> Colour:
    """Mix two colours, with `share` of the second one."""
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(first, second, strict=True))
    return (red, green, blue)


def _mixed(chance: random.Random, colours: tuple[Colour, ...]) -> Colour:
    place = chance.uniform(0, len(colours) - 1.001)
    return mix(colours[int(place)], colours[int(place) + 1], place % 1)


def _pastel(chance: random.Random) -> Colour:
    hue, depth = chance.uniform(0, 2 * math.pi), chance.uniform(60, 215)
    red, green, blue = (round(depth + 28 * math.cos(hue + shift)) for shift in (0.0, 2.1, 4.2))
    return (red, green, blue)
