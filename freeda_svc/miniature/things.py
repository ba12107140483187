"""The things of the small miniature world, as data."""

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
    Thing,
    box,
    crescent,
    ellipse,
    polygon,
    ray,
    ring,
)

THINGS: tuple[Thing, ...] = (
    Thing(
        "ball",
        (
            ellipse(-1, -1, 1, 1),
            polygon((-0.98, -0.18), (0.98, -0.18), (0.98, 0.18), (-0.98, 0.18), tone="white"),
            ellipse(-0.55, -0.75, -0.15, -0.38, "gleam"),
        ),
        (RED, BLUE, GREEN, PURPLE),
    ),
    Thing(
        "box",
        (
            box(-0.95, -0.8, 0.95, 0.9),
            box(-0.18, -0.8, 0.18, 0.9, "tape"),
            box(-1, -0.95, 1, -0.55, "bark"),
        ),
        (BROWN, ("brown", (175, 120, 70))),
    ),
    Thing(
        "tree",
        (
            box(-0.16, 0.3, 0.16, 1, "bark"),
            polygon((-0.85, 0.55), (0, -0.45), (0.85, 0.55)),
            polygon((-0.65, -0.02), (0, -1), (0.65, -0.02)),
        ),
        (("green", (20, 90, 45)), ("green", (35, 105, 60))),
    ),
    Thing(
        "house",
        (
            box(-0.8, -0.2, 0.8, 0.95),
            polygon((-1, -0.15), (0, -1), (1, -0.15), tone="roof"),
            box(-0.15, 0.3, 0.25, 0.95, "bark"),
            box(-0.6, 0.1, -0.3, 0.45, "glass"),
            box(0.42, 0.1, 0.68, 0.45, "glass"),
        ),
        (WHITE, ("yellow", (235, 215, 150)), ("pink", (235, 185, 185))),
    ),
    Thing(
        "boat",
        (
            box(-0.06, -1, 0.06, 0.35, "bark"),
            polygon((0.1, -0.95), (0.85, 0.25), (0.1, 0.25), tone="white"),
            polygon((-0.1, -0.7), (-0.1, 0.25), (-0.7, 0.25), tone="white"),
            polygon((-1, 0.35), (1, 0.35), (0.65, 0.95), (-0.65, 0.95)),
        ),
        (RED, ("orange", (200, 95, 40))),
    ),
    Thing(
        "sun",
        (*(ray(index, 10) for index in range(10)), ellipse(-0.66, -0.66, 0.66, 0.66)),
        (YELLOW, ("yellow", (255, 190, 20))),
        aloft=True,
    ),
    Thing("moon", (crescent(),), (("white", (235, 235, 215)), ("grey", (205, 205, 215))), aloft=True),
    Thing(
        "fish",
        (
            polygon((0.35, 0), (1, -0.6), (1, 0.6)),
            ellipse(-1, -0.55, 0.6, 0.55),
            ellipse(-0.72, -0.25, -0.48, 0, "dark"),
            polygon((-0.2, -0.1), (0.25, 0.05), (-0.2, 0.25), tone="white"),
        ),
        (ORANGE, ("orange", (250, 155, 60))),
    ),
    Thing(
        "flower",
        (
            box(-0.07, 0.1, 0.07, 1, "stem"),
            ellipse(0.02, 0.55, 0.5, 0.8, "stem"),
            *(ellipse(x - 0.3, y - 0.62, x + 0.3, y - 0.02) for x, y in ring(6, 0.42)),
            ellipse(-0.24, -0.56, 0.24, -0.08, "pollen"),
        ),
        (PINK, PURPLE),
    ),
    Thing(
        "car",
        (
            polygon((-0.6, -0.05), (-0.35, -0.6), (0.35, -0.6), (0.65, -0.05)),
            polygon((-0.45, -0.08), (-0.28, -0.45), (0.28, -0.45), (0.48, -0.08), tone="glass"),
            box(-1, -0.1, 1, 0.42),
            ellipse(-0.75, 0.15, -0.25, 0.65, "dark"),
            ellipse(0.25, 0.15, 0.75, 0.65, "dark"),
        ),
        (BLUE, RED, ("grey", (120, 120, 130))),
    ),
)
