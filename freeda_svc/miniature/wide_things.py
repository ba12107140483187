"""The things of the wide miniature world, as data: kinds of things, synonyms, and names that not every model knows."""

import math
from dataclasses import replace

from freeda_svc.miniature.shapes import (
    BLUE,
    BROWN,
    GREEN,
    ORANGE,
    PINK,
    PURPLE,
    RED,
    WHITE,
    YELLOW,
    Shape,
    Thing,
    box,
    ellipse,
    half_ring,
    leaf,
    polygon,
    stroke,
)
from freeda_svc.miniature.things import THINGS

_SMALL = {thing.noun: thing for thing in THINGS}


def _wheel(x: float, y: float, radius: float) -> tuple[Shape, Shape]:
    hub = radius * 0.4
    tyre = ellipse(x - radius, y - radius, x + radius, y + radius, "dark")
    return tyre, ellipse(x - hub, y - hub, x + hub, y + hub, "steel")


def _banana() -> Shape:
    """Return the lower part of a disc less a disc moved upwards."""
    angles = [math.radians(8 + 164 * index / 20) for index in range(21)]
    outer = [(math.cos(a), -0.45 + 1.15 * math.sin(a)) for a in angles]
    inner = [(0.98 * math.cos(a), -0.45 + 0.55 * math.sin(a)) for a in reversed(angles)]
    return Shape("polygon", tuple(outer + inner))


_BOATS = (
    replace(
        _SMALL["boat"],
        noun="sailing boat",
        colours=(RED, ORANGE, BLUE),
        synonyms=("sailboat",),
        rare_synonyms=("yacht",),
        kind="boat",
    ),
    Thing(
        "rowing boat",
        (
            stroke((0.1, 0.2), (-0.85, 0.95), 0.1, "tape"),
            stroke((-0.1, 0.2), (0.85, 0.95), 0.1, "tape"),
            polygon((-1, -0.2), (-0.6, 0.05), (0.6, 0.05), (1, -0.2), (0.65, 0.55), (-0.65, 0.55)),
            polygon((-0.6, 0.05), (0.6, 0.05), (0.5, 0.18), (-0.5, 0.18), tone="bark"),
        ),
        (BROWN, GREEN, RED),
        synonyms=("rowboat",),
        rare_synonyms=("dinghy",),
        kind="boat",
    ),
    Thing(
        "ship",
        (
            box(-0.25, -0.85, 0.1, -0.1, "roof"),
            box(-0.25, -0.85, 0.1, -0.68, "dark"),
            box(-0.6, -0.25, 0.6, 0.25, "white"),
            *(ellipse(x, -0.12, x + 0.2, 0.08, "dark") for x in (-0.5, -0.2, 0.1, 0.35)),
            polygon((-1, 0.2), (1, 0.2), (0.75, 0.85), (-0.8, 0.85)),
            polygon((-0.9, 0.55), (0.87, 0.55), (0.75, 0.85), (-0.8, 0.85), tone="roof"),
        ),
        (("blue", (40, 50, 110)), ("grey", (95, 100, 115))),
        kind="boat",
        known_by="image_text",
    ),
)

_TREES = (
    replace(_SMALL["tree"], noun="fir", synonyms=("spruce",), kind="tree"),
    Thing(
        "palm",
        (
            polygon((-0.2, 1), (0.06, 1), (0.16, -0.4), (0.02, -0.4), tone="bark"),
            *(
                leaf((0.08, -0.42), tip, 0.42)
                for tip in ((-0.95, 0.1), (-0.9, -0.6), (-0.3, -1), (0.55, -1), (1, -0.5), (1, 0.15))
            ),
            ellipse(-0.06, -0.42, 0.22, -0.18, "bark"),
        ),
        (("green", (60, 150, 50)), ("green", (85, 165, 60))),
        kind="tree",
    ),
    Thing(
        "oak",
        (
            box(-0.18, 0.1, 0.18, 1, "bark"),
            ellipse(-1, -0.5, 0.1, 0.45),
            ellipse(-0.1, -0.5, 1, 0.45),
            ellipse(-0.6, -1, 0.6, 0.1),
        ),
        (("green", (70, 120, 40)), ("orange", (205, 120, 40))),
        kind="tree",
        known_by="image_text",
    ),
)

_VEHICLES = (
    replace(_SMALL["car"], colours=(BLUE, RED, GREEN), rare_synonyms=("automobile",), kind="vehicle"),
    Thing(
        "lorry",
        (
            box(-1, -0.7, 0.35, 0.4),
            box(-1, -0.25, 0.35, -0.05, "white"),
            polygon((0.4, -0.3), (0.75, -0.3), (1, 0.05), (1, 0.4), (0.4, 0.4), tone="steel"),
            polygon((0.5, -0.2), (0.7, -0.2), (0.88, 0.05), (0.5, 0.05), tone="glass"),
            *_wheel(-0.65, 0.45, 0.25),
            *_wheel(-0.1, 0.45, 0.25),
            *_wheel(0.7, 0.45, 0.25),
        ),
        (RED, BLUE, GREEN),
        synonyms=("truck",),
        kind="vehicle",
    ),
    Thing(
        "bus",
        (
            box(-1, -0.65, 1, 0.45),
            *(box(x, -0.5, x + 0.32, -0.1, "glass") for x in (-0.88, -0.47, -0.06, 0.35)),
            box(0.76, -0.5, 1, -0.05, "glass"),
            box(-1, 0.05, 1, 0.15, "white"),
            *_wheel(-0.6, 0.45, 0.24),
            *_wheel(0.6, 0.45, 0.24),
        ),
        (RED, ("yellow", (240, 185, 30)), GREEN),
        rare_synonyms=("coach",),
        kind="vehicle",
    ),
)

_BUILDINGS = (
    replace(_SMALL["house"], rare_synonyms=("cottage",), kind="building"),
    Thing(
        "church",
        (
            box(-0.4, 0.05, 0.95, 0.95),
            polygon((-0.4, 0.1), (-0.4, -0.3), (0.75, -0.3), (1, 0.1), tone="slate"),
            box(-0.95, -0.2, -0.3, 0.95),
            polygon((-1, -0.18), (-0.62, -1), (-0.25, -0.18), tone="slate"),
            box(-0.75, 0.5, -0.5, 0.95, "bark"),
            *(ellipse(x, 0.25, x + 0.22, 0.7, "glass") for x in (-0.1, 0.22, 0.54)),
        ),
        (WHITE, ("grey", (185, 180, 175)), ("brown", (190, 145, 110))),
        rare_synonyms=("chapel",),
        kind="building",
    ),
    Thing(
        "lighthouse",
        (
            polygon((-0.25, -0.5), (0.25, -0.5), (0.45, 1), (-0.45, 1), tone="white"),
            polygon((-0.29, -0.2), (0.29, -0.2), (0.34, 0.15), (-0.34, 0.15)),
            polygon((-0.39, 0.5), (0.39, 0.5), (0.43, 0.82), (-0.43, 0.82)),
            box(-0.22, -0.75, 0.22, -0.5, "pollen"),
            polygon((-0.32, -0.72), (0, -1), (0.32, -0.72), tone="dark"),
        ),
        (RED, BLUE),
        kind="building",
        known_by="image_text",
    ),
)

_FRUIT = (
    Thing(
        "apple",
        (
            ellipse(-0.9, -0.6, 0.2, 0.9),
            ellipse(-0.2, -0.6, 0.9, 0.9),
            polygon((-0.35, 0), (0.35, 0), (0.3, 0.85), (-0.3, 0.85)),
            stroke((0, -0.4), (0.08, -1), 0.12, "bark"),
            leaf((0.06, -0.7), (0.7, -0.95), 0.55, "stem"),
            ellipse(-0.6, -0.3, -0.3, 0.1, "gleam"),
        ),
        (RED, ("green", (120, 185, 55))),
        kind="fruit",
    ),
    Thing(
        "pear",
        (
            stroke((0, -0.6), (0.1, -1), 0.12, "bark"),
            ellipse(-0.7, -0.1, 0.7, 1),
            polygon((-0.36, -0.5), (0.36, -0.5), (0.64, 0.25), (-0.64, 0.25)),
            ellipse(-0.37, -0.8, 0.37, -0.1),
        ),
        (("green", (165, 185, 60)), ("yellow", (225, 205, 80))),
        kind="fruit",
    ),
    Thing(
        "banana",
        (_banana(), ellipse(0.85, -0.42, 1, -0.1, "bark"), ellipse(-1, -0.42, -0.85, -0.1, "bark")),
        (YELLOW,),
        kind="fruit",
        known_by="image_text",
    ),
)

_ANIMALS = (
    replace(_SMALL["fish"], colours=(ORANGE, ("grey", (135, 150, 175))), kind="animal"),
    Thing(
        "duck",
        (
            polygon((-0.7, 0.45), (-1, -0.2), (-0.45, 0.05)),
            ellipse(-0.9, -0.1, 0.6, 0.8),
            ellipse(0.05, -0.85, 0.75, -0.1),
            polygon((0.3, -0.3), (0.55, 0.3), (-0.1, 0.3), (0.1, -0.3)),
            polygon((0.7, -0.6), (1, -0.4), (0.7, -0.28), tone="beak"),
            ellipse(0.42, -0.65, 0.58, -0.48, "dark"),
            ellipse(-0.65, 0.12, 0.15, 0.5, "white"),
        ),
        (("yellow", (245, 215, 80)), BROWN),
        kind="animal",
    ),
    Thing(
        "snail",
        (
            ellipse(-1, 0.5, 0.85, 0.98, "skin"),
            polygon((0.35, 0.7), (0.55, -0.05), (0.95, 0), (0.85, 0.8), tone="skin"),
            stroke((0.65, 0.05), (0.5, -0.45), 0.1, "skin"),
            stroke((0.85, 0.05), (0.95, -0.45), 0.1, "skin"),
            ellipse(-0.85, -0.65, 0.45, 0.65),
            ellipse(-0.6, -0.4, 0.2, 0.4, "dark"),
            ellipse(-0.5, -0.3, 0.1, 0.3),
            ellipse(-0.32, -0.12, -0.08, 0.12, "dark"),
        ),
        (("brown", (165, 95, 55)), ("purple", (140, 90, 150))),
        kind="animal",
    ),
    Thing(
        "crab",
        (
            *(stroke((0, 0.3), (x, y), 0.12) for x in (-0.95, 0.95) for y in (0.5, 0.9)),
            *(stroke((0, 0.2), (x, -0.5), 0.18) for x in (-0.72, 0.72)),
            *(ellipse(x - 0.3, -1, x + 0.3, -0.35) for x in (-0.7, 0.7)),
            *(polygon((x - 0.12, -1), (x, -0.6), (x + 0.12, -1), tone="dark") for x in (-0.7, 0.7)),
            ellipse(-0.7, -0.2, 0.7, 0.7),
            *(ellipse(x - 0.14, -0.2, x + 0.14, 0.1, "white") for x in (-0.25, 0.25)),
            *(ellipse(x - 0.06, -0.12, x + 0.06, 0.02, "dark") for x in (-0.25, 0.25)),
        ),
        (("red", (215, 70, 45)), ORANGE),
        kind="animal",
        known_by="exemplars",
    ),
)

_FLOWERS = (
    Thing(
        "tulip",
        (
            box(-0.07, 0, 0.07, 1, "stem"),
            leaf((-0.02, 0.95), (-0.6, 0.15), 0.35, "stem"),
            leaf((0.02, 0.95), (0.6, 0.15), 0.35, "stem"),
            ellipse(-0.5, -0.6, 0.5, 0.15),
            polygon((-0.5, -0.2), (-0.5, -1), (-0.22, -0.6), (0, -1), (0.22, -0.6), (0.5, -1), (0.5, -0.2)),
        ),
        (RED, YELLOW, PURPLE),
        kind="flower",
    ),
    replace(_SMALL["flower"], noun="daisy", colours=(WHITE, PINK), kind="flower"),
)

_CONTAINERS = (
    replace(_SMALL["box"], rare_synonyms=("crate",), kind="container"),
    Thing(
        "bucket",
        (
            half_ring(0.75, 0.6, -0.3, tone="steel"),
            polygon((-0.8, -0.3), (0.8, -0.3), (0.55, 0.95), (-0.55, 0.95)),
            ellipse(-0.82, -0.48, 0.82, -0.1, "dark"),
            polygon((-0.7, 0.25), (0.7, 0.25), (0.66, 0.42), (-0.66, 0.42), tone="white"),
        ),
        (BLUE, RED, GREEN),
        rare_synonyms=("pail",),
        kind="container",
    ),
)

_TOYS = (
    replace(_SMALL["ball"], kind="toy"),
    Thing(
        "balloon",
        (
            box(-0.04, 0.4, 0.04, 1, "dark"),
            polygon((0, 0.25), (0.18, 0.5), (-0.18, 0.5)),
            ellipse(-0.68, -1, 0.68, 0.4),
            ellipse(-0.42, -0.75, -0.15, -0.35, "gleam"),
        ),
        (RED, PINK, PURPLE, ORANGE),
        aloft=True,
        kind="toy",
    ),
    Thing(
        "kite",
        (
            stroke((0, 0.4), (0.25, 1), 0.07, "dark"),
            polygon((0, -1), (0.7, -0.3), (0, 0.5), (-0.7, -0.3)),
            polygon((0, -0.3), (0.7, -0.3), (0, 0.5), tone="pollen"),
            polygon((0, -1), (0, -0.3), (-0.7, -0.3), tone="pollen"),
            *(
                polygon((x - 0.2, y - 0.1), (x + 0.2, y + 0.1), (x + 0.2, y - 0.1))
                for x, y in ((0.08, 0.65), (0.2, 0.9))
            ),
        ),
        (BLUE, PURPLE, RED),
        aloft=True,
        kind="toy",
        known_by="exemplars",
    ),
)

_OTHERS = (
    _SMALL["sun"],
    _SMALL["moon"],
    Thing(
        "mushroom",
        (
            polygon((-0.22, -0.1), (0.22, -0.1), (0.34, 1), (-0.34, 1), tone="white"),
            half_ring(1, 0, 0.1),
            ellipse(-0.2, -0.8, 0.2, -0.45, "white"),
            ellipse(-0.72, -0.42, -0.38, -0.1, "white"),
            ellipse(0.38, -0.42, 0.72, -0.1, "white"),
        ),
        (RED, BROWN),
        rare_synonyms=("toadstool",),
    ),
    Thing(
        "umbrella",
        (
            box(-0.06, -0.2, 0.06, 0.85, "bark"),
            half_ring(0.22, 0.1, 0.78, upper=False, tone="bark"),
            half_ring(1, 0, 0.05),
            polygon((-0.35, 0.05), (0, -0.95), (0.35, 0.05), tone="white"),
        ),
        (RED, BLUE, PURPLE, GREEN),
        rare_synonyms=("parasol",),
    ),
    Thing(
        "rocket",
        (
            polygon((-0.22, 0.6), (0, 1), (0.22, 0.6), tone="beak"),
            polygon((-0.25, 0.1), (-0.7, 0.75), (-0.25, 0.65), tone="roof"),
            polygon((0.25, 0.1), (0.7, 0.75), (0.25, 0.65), tone="roof"),
            ellipse(-0.36, -1, 0.36, 1 - 0.25),
            ellipse(-0.18, -0.45, 0.18, -0.1, "glass"),
        ),
        (WHITE, ("grey", (190, 195, 205))),
        aloft=True,
        known_by="exemplars",
    ),
    Thing(
        "cactus",
        (
            *(stroke((0, y), (x, y), 0.22) for x, y in ((-0.7, 0.25), (0.7, 0))),
            ellipse(-0.85, -0.45, -0.55, 0.36),
            ellipse(0.55, -0.7, 0.85, 0.11),
            ellipse(-0.27, -1, 0.27, 1),
            box(-0.05, -0.8, 0.05, 0.85, "stem"),
        ),
        (("green", (95, 165, 85)),),
        known_by="nothing",
    ),
    Thing(
        "tent",
        (
            polygon((-1, 0.85), (0, -0.8), (1, 0.85)),
            polygon((-0.35, 0.85), (0, -0.2), (0.35, 0.85), tone="dark"),
            stroke((-0.12, -1), (0.1, -0.65), 0.08, "bark"),
            stroke((0.12, -1), (-0.1, -0.65), 0.08, "bark"),
        ),
        (ORANGE, BLUE, GREEN),
        known_by="nothing",
    ),
)

WIDE_THINGS: tuple[Thing, ...] = (
    *_BOATS,
    *_TREES,
    *_VEHICLES,
    *_BUILDINGS,
    *_FRUIT,
    *_ANIMALS,
    *_FLOWERS,
    *_CONTAINERS,
    *_TOYS,
    *_OTHERS,
)
