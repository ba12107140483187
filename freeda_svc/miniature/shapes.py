"""What outlines of things are made of: filled shapes in a unit square, their paints, and how things are named.

Coordinates run from -1 to 1, x to the right and y down. A shape's ``tone`` names the paint it takes: ``main``
is the colour drawn for the thing, the others are fixed details.
"""

import math
from dataclasses import dataclass
from typing import Literal

Point = tuple[float, float]
Rgb = tuple[int, int, int]
KnownBy = Literal["captions", "image_text", "exemplars", "nothing"]


@dataclass(frozen=True)
class Shape:
    """A filled ellipse (two opposite corners of its box) or polygon (three or more corners)."""

    kind: Literal["ellipse", "polygon"]
    points: tuple[Point, ...]
    tone: str = "main"


@dataclass(frozen=True)
class Thing:
    """A thing's outline, and what it is called.

    Attributes:
        noun: its name, which is that of its label.
        shapes: painted one over the other.
        colours: the named colours its ``main`` tone is drawn from.
        aloft: whether it stays in the upper half.
        synonyms: other names in captions of every kind, so that a bank has them, too.
        rare_synonyms: other names that only the captions of the image-text model use; no bank has them.
        kind: the general word for it and its like, which only the captions of the image-text model use.
        known_by: where its name occurs: in all captions (the generator draws it, so banks are filled with it), in
            those of the image-text model only, with exemplars only (no caption shows or names it), or nowhere.
    """

    noun: str
    shapes: tuple[Shape, ...]
    colours: tuple[tuple[str, Rgb], ...]
    aloft: bool = False
    synonyms: tuple[str, ...] = ()
    rare_synonyms: tuple[str, ...] = ()
    kind: str = ""
    known_by: KnownBy = "captions"


def ellipse(left: float, top: float, right: float, bottom: float, tone: str = "main") -> Shape:
    """Return an ellipse that fills a box."""
    return Shape("ellipse", ((left, top), (right, bottom)), tone)


def box(left: float, top: float, right: float, bottom: float, tone: str = "main") -> Shape:
    """Return an upright rectangle."""
    return Shape("polygon", ((left, top), (right, top), (right, bottom), (left, bottom)), tone)


def polygon(*points: Point, tone: str = "main") -> Shape:
    """Return a polygon with these corners."""
    return Shape("polygon", points, tone)


def stroke(start: Point, stop: Point, width: float, tone: str = "main") -> Shape:
    """Return a straight bar from one point to another."""
    dx, dy = stop[0] - start[0], stop[1] - start[1]
    length = math.hypot(dx, dy)
    x, y = -dy / length * width / 2, dx / length * width / 2
    (ax, ay), (bx, by) = start, stop
    return polygon((ax + x, ay + y), (bx + x, by + y), (bx - x, by - y), (ax - x, ay - y), tone=tone)


def leaf(start: Point, stop: Point, width: float, tone: str = "main") -> Shape:
    """Return a pointed leaf, widest in its middle."""
    dx, dy = stop[0] - start[0], stop[1] - start[1]
    x, y = -dy * width / 2, dx * width / 2
    middle = (start[0] + dx / 2, start[1] + dy / 2)
    return polygon(start, (middle[0] + x, middle[1] + y), stop, (middle[0] - x, middle[1] - y), tone=tone)


def ring(count: int, distance: float) -> list[Point]:
    """Return points in even steps around the origin."""
    angles = [2 * math.pi * index / count for index in range(count)]
    return [(distance * math.cos(angle), distance * math.sin(angle)) for angle in angles]


def ray(index: int, count: int) -> Shape:
    """Return one of the pointed rays around a disc of radius 0.62."""
    angle = 2 * math.pi * index / count
    corners = ((0.62, angle - 0.22), (1.0, angle), (0.62, angle + 0.22))
    return Shape("polygon", tuple((r * math.cos(a), r * math.sin(a)) for r, a in corners))


def arc(centre: float, radius: float, start: float, stop: float, steps: int = 20) -> list[Point]:
    """Return points along a circle around (centre, 0), from one angle to another."""
    angles = [start + (stop - start) * index / steps for index in range(steps + 1)]
    return [(centre + radius * math.cos(angle), radius * math.sin(angle)) for angle in angles]


def crescent(offset: float = 0.6, radius: float = 0.85) -> Shape:
    """Return the unit disc less a smaller disc moved to the right."""
    tip_x = (1 - radius**2 + offset**2) / (2 * offset)
    tip = math.acos(tip_x)
    inner_tip = math.atan2(math.sin(tip), tip_x - offset)
    outer = arc(0.0, 1.0, tip, 2 * math.pi - tip)
    inner = arc(offset, radius, 2 * math.pi - inner_tip, inner_tip)
    return Shape("polygon", tuple((x + 0.2, y) for x, y in outer + inner))


def half_ring(outer: float, inner: float, down: float, *, upper: bool = True, tone: str = "main") -> Shape:
    """Return half of a ring around (0, down); half of a disc where ``inner`` is 0."""
    sign = -1.0 if upper else 1.0
    points = arc(0.0, outer, 0.0, sign * math.pi) + (arc(0.0, inner, sign * math.pi, 0.0) if inner else [])
    return Shape("polygon", tuple((x, y + down) for x, y in points), tone)


RED: tuple[str, Rgb] = ("red", (205, 40, 45))
BLUE: tuple[str, Rgb] = ("blue", (50, 60, 190))
GREEN: tuple[str, Rgb] = ("green", (40, 150, 70))
ORANGE: tuple[str, Rgb] = ("orange", (240, 130, 35))
PURPLE: tuple[str, Rgb] = ("purple", (130, 60, 170))
PINK: tuple[str, Rgb] = ("pink", (240, 130, 180))
WHITE: tuple[str, Rgb] = ("white", (240, 240, 240))
YELLOW: tuple[str, Rgb] = ("yellow", (250, 205, 40))
BROWN: tuple[str, Rgb] = ("brown", (140, 90, 50))

DETAIL_TONES: dict[str, Rgb] = {
    "dark": (35, 35, 45),
    "white": (245, 245, 245),
    "bark": (105, 70, 40),
    "roof": (165, 55, 45),
    "glass": (185, 220, 240),
    "stem": (35, 115, 45),
    "pollen": (250, 210, 60),
    "tape": (215, 175, 115),
    "gleam": (250, 250, 250),
    "slate": (85, 95, 115),
    "steel": (150, 155, 165),
    "beak": (235, 125, 35),
    "skin": (200, 175, 130),
}
