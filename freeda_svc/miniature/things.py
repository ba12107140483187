"""Outlines of the miniature world's things, as data: shapes in a unit square, painted back to front.

Coordinates run from -1 to 1, x to the right and y down. A shape's ``tone`` names the paint it takes: ``main``
is the colour drawn for the thing, the others are fixed details.
"""

import math
from dataclasses import dataclass
from typing import Literal

Point = tuple[float, float]
Rgb = tuple[int, int, int]


@dataclass(frozen=True)
class Shape:
    """A filled ellipse (two opposite corners of its box) or polygon (three or more corners)."""

    kind: Literal["ellipse", "polygon"]
    points: tuple[Point, ...]
    tone: str = "main"


@dataclass(frozen=True)
class Thing:
    """A thing's outline and the named colours its ``main`` tone is drawn from."""

    noun: str
    shapes: tuple[Shape, ...]
    colours: tuple[tuple[str, Rgb], ...]


def _ellipse(left: float, top: float, right: float, bottom: float, tone: str = "main") -> Shape:
    return Shape("ellipse", ((left, top), (right, bottom)), tone)


def _box(left: float, top: float, right: float, bottom: float, tone: str = "main") -> Shape:
    return Shape("polygon", ((left, top), (right, top), (right, bottom), (left, bottom)), tone)


def _polygon(*points: Point, tone: str = "main") -> Shape:
    return Shape("polygon", points, tone)


def _ring(count: int, distance: float) -> list[Point]:
    angles = [2 * math.pi * index / count for index in range(count)]
    return [(distance * math.cos(angle), distance * math.sin(angle)) for angle in angles]


def _ray(index: int, count: int) -> Shape:
    angle = 2 * math.pi * index / count
    corners = ((0.62, angle - 0.22), (1.0, angle), (0.62, angle + 0.22))
    return Shape("polygon", tuple((r * math.cos(a), r * math.sin(a)) for r, a in corners))


def _arc(centre: float, radius: float, start: float, stop: float, steps: int = 20) -> list[Point]:
    angles = [start + (stop - start) * index / steps for index in range(steps + 1)]
    return [(centre + radius * math.cos(angle), radius * math.sin(angle)) for angle in angles]


def _crescent(offset: float = 0.6, radius: float = 0.85) -> Shape:
    """Return the unit disc less a smaller disc moved to the right."""
    tip_x = (1 - radius**2 + offset**2) / (2 * offset)
    tip = math.acos(tip_x)
    inner_tip = math.atan2(math.sin(tip), tip_x - offset)
    outer = _arc(0.0, 1.0, tip, 2 * math.pi - tip)
    inner = _arc(offset, radius, 2 * math.pi - inner_tip, inner_tip)
    return Shape("polygon", tuple((x + 0.2, y) for x, y in outer + inner))


_RED: tuple[str, Rgb] = ("red", (205, 40, 45))
_BLUE: tuple[str, Rgb] = ("blue", (50, 60, 190))
_GREEN: tuple[str, Rgb] = ("green", (40, 150, 70))
_ORANGE: tuple[str, Rgb] = ("orange", (240, 130, 35))
_PURPLE: tuple[str, Rgb] = ("purple", (130, 60, 170))
_PINK: tuple[str, Rgb] = ("pink", (240, 130, 180))
_WHITE: tuple[str, Rgb] = ("white", (240, 240, 240))
_YELLOW: tuple[str, Rgb] = ("yellow", (250, 205, 40))
_BROWN: tuple[str, Rgb] = ("brown", (140, 90, 50))

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
}

THINGS: tuple[Thing, ...] = (
    Thing(
        "ball",
        (
            _ellipse(-1, -1, 1, 1),
            _polygon((-0.98, -0.18), (0.98, -0.18), (0.98, 0.18), (-0.98, 0.18), tone="white"),
            _ellipse(-0.55, -0.75, -0.15, -0.38, "gleam"),
        ),
        (_RED, _BLUE, _GREEN, _PURPLE),
    ),
    Thing(
        "box",
        (
            _box(-0.95, -0.8, 0.95, 0.9),
            _box(-0.18, -0.8, 0.18, 0.9, "tape"),
            _box(-1, -0.95, 1, -0.55, "bark"),
        ),
        (_BROWN, ("brown", (175, 120, 70))),
    ),
    Thing(
        "tree",
        (
            _box(-0.16, 0.3, 0.16, 1, "bark"),
            _polygon((-0.85, 0.55), (0, -0.45), (0.85, 0.55)),
            _polygon((-0.65, -0.02), (0, -1), (0.65, -0.02)),
        ),
        (("green", (20, 90, 45)), ("green", (35, 105, 60))),
    ),
    Thing(
        "house",
        (
            _box(-0.8, -0.2, 0.8, 0.95),
            _polygon((-1, -0.15), (0, -1), (1, -0.15), tone="roof"),
            _box(-0.15, 0.3, 0.25, 0.95, "bark"),
            _box(-0.6, 0.1, -0.3, 0.45, "glass"),
            _box(0.42, 0.1, 0.68, 0.45, "glass"),
        ),
        (_WHITE, ("yellow", (235, 215, 150)), ("pink", (235, 185, 185))),
    ),
    Thing(
        "boat",
        (
            _box(-0.06, -1, 0.06, 0.35, "bark"),
            _polygon((0.1, -0.95), (0.85, 0.25), (0.1, 0.25), tone="white"),
            _polygon((-0.1, -0.7), (-0.1, 0.25), (-0.7, 0.25), tone="white"),
            _polygon((-1, 0.35), (1, 0.35), (0.65, 0.95), (-0.65, 0.95)),
        ),
        (_RED, ("orange", (200, 95, 40))),
    ),
    Thing(
        "sun",
        (*(_ray(index, 10) for index in range(10)), _ellipse(-0.66, -0.66, 0.66, 0.66)),
        (_YELLOW, ("yellow", (255, 190, 20))),
    ),
    Thing("moon", (_crescent(),), (("white", (235, 235, 215)), ("grey", (205, 205, 215)))),
    Thing(
        "fish",
        (
            _polygon((0.35, 0), (1, -0.6), (1, 0.6)),
            _ellipse(-1, -0.55, 0.6, 0.55),
            _ellipse(-0.72, -0.25, -0.48, 0, "dark"),
            _polygon((-0.2, -0.1), (0.25, 0.05), (-0.2, 0.25), tone="white"),
        ),
        (_ORANGE, ("orange", (250, 155, 60))),
    ),
    Thing(
        "flower",
        (
            _box(-0.07, 0.1, 0.07, 1, "stem"),
            _ellipse(0.02, 0.55, 0.5, 0.8, "stem"),
            *(_ellipse(x - 0.3, y - 0.62, x + 0.3, y - 0.02) for x, y in _ring(6, 0.42)),
            _ellipse(-0.24, -0.56, 0.24, -0.08, "pollen"),
        ),
        (_PINK, _PURPLE),
    ),
    Thing(
        "car",
        (
            _polygon((-0.6, -0.05), (-0.35, -0.6), (0.35, -0.6), (0.65, -0.05)),
            _polygon((-0.45, -0.08), (-0.28, -0.45), (0.28, -0.45), (0.48, -0.08), tone="glass"),
            _box(-1, -0.1, 1, 0.42),
            _ellipse(-0.75, 0.15, -0.25, 0.65, "dark"),
            _ellipse(0.25, 0.15, 0.75, 0.65, "dark"),
        ),
        (_BLUE, _RED, ("grey", (120, 120, 130))),
    ),
)
