"""The scene painter: things on backgrounds, with pixel-exact labels and natural captions.

Every scene follows from one integer sequence, its seed; the same seed paints the same scene everywhere.
Shapes are painted four times larger and averaged down, so edges are smooth; the labels are what was painted
at each pixel's centre.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from freeda_svc.miniature.backgrounds import BACKGROUNDS, paint_background
from freeda_svc.miniature.sentences import describe
from freeda_svc.miniature.things import DETAIL_TONES, THINGS, Point, Rgb, Thing

SIZE = 64
OVERSAMPLING = 4
NOUNS: tuple[str, ...] = (*BACKGROUNDS, *(thing.noun for thing in THINGS))


@dataclass(frozen=True)
class SceneStyle:
    """How full a scene is: how many things (inclusive) and their half width in pixels (inclusive)."""

    things: tuple[int, int]
    half_width: tuple[float, float]


EASY = SceneStyle(things=(1, 2), half_width=(12.0, 18.0))
HARD = SceneStyle(things=(1, 3), half_width=(8.0, 14.0))
CROWDED = SceneStyle(things=(3, 6), half_width=(6.0, 16.0))


@dataclass(frozen=True, eq=False)
class Scene:
    """A painted scene.

    Attributes:
        image: (64, 64, 3) uint8, RGB.
        labels: (64, 64) uint8, indices into ``NOUNS``.
        caption: one natural sentence that names what is in the scene.
        nouns: the nouns that the scene shows, in the order of ``NOUNS``.
    """

    image: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    caption: str
    nouns: tuple[str, ...]


@dataclass(frozen=True)
class _Placed:
    thing: Thing
    colour_name: str
    colour: Rgb
    centre: Point
    half_width: float
    mirrored: bool


def _shade(colour: Rgb, factor: float) -> Rgb:
    red, green, blue = (int(np.clip(channel * factor, 0, 255)) for channel in colour)
    return red, green, blue


def _overlap(first: _Placed, second: _Placed) -> float:
    """Overlap of two things' boxes as a share of the smaller box."""
    reach = first.half_width + second.half_width
    sides = [reach - abs(a - b) for a, b in zip(first.centre, second.centre, strict=True)]
    smaller = 2 * min(first.half_width, second.half_width)
    return max(0.0, min(sides[0], smaller)) * max(0.0, min(sides[1], smaller)) / smaller**2


def _place(rng: np.random.Generator, thing: Thing, style: SceneStyle) -> _Placed:
    half_width = float(rng.uniform(*style.half_width))
    margin = half_width * 0.95
    lowest = SIZE * 0.55 if thing.noun in ("sun", "moon") else SIZE - margin
    name, colour = thing.colours[int(rng.integers(len(thing.colours)))]
    return _Placed(
        thing=thing,
        colour_name=name,
        colour=_shade(colour, float(rng.uniform(0.85, 1.12))),
        centre=(float(rng.uniform(margin, SIZE - margin)), float(rng.uniform(margin, max(margin + 1, lowest)))),
        half_width=half_width,
        mirrored=bool(rng.random() < 0.5),
    )


def _arrange(rng: np.random.Generator, style: SceneStyle, first: str | None) -> list[_Placed]:
    """Choose things and find places where none hides more than a quarter of another."""
    count = int(rng.integers(style.things[0], style.things[1] + 1))
    order = [THINGS[int(index)] for index in rng.permutation(len(THINGS))]
    if first is not None:
        order.sort(key=lambda thing: thing.noun != first)
    placed: list[_Placed] = []
    for thing in order[:count]:
        for _ in range(12):
            candidate = _place(rng, thing, style)
            if all(_overlap(candidate, other) < 0.25 for other in placed):
                placed.append(candidate)
                break
    return placed


def _paint_thing(placed: _Placed, canvas: ImageDraw.ImageDraw, labels: ImageDraw.ImageDraw) -> None:
    scale = placed.half_width * OVERSAMPLING
    sign = -1.0 if placed.mirrored else 1.0
    x0, y0 = (value * OVERSAMPLING for value in placed.centre)
    index = NOUNS.index(placed.thing.noun)
    for shape in placed.thing.shapes:
        points = [(x0 + sign * x * scale, y0 + y * scale) for x, y in shape.points]
        fill = placed.colour if shape.tone == "main" else DETAIL_TONES[shape.tone]
        if shape.kind == "ellipse":
            (xa, ya), (xb, yb) = points
            corners = (min(xa, xb), min(ya, yb), max(xa, xb), max(ya, yb))
            canvas.ellipse(corners, fill=fill)
            labels.ellipse(corners, fill=index)
        else:
            canvas.polygon(points, fill=fill)
            labels.polygon(points, fill=index)


def paint_scene(seed: Sequence[int], style: SceneStyle, *, thing: str | None = None) -> Scene:
    """Paint the scene of a seed.

    Args:
        seed: non-negative integers that name the scene, such as ``(split, number)``.
        style: how full the scene is.
        thing: a noun of ``THINGS`` that must be among the things placed; None leaves it to the seed.

    Returns:
        The scene; its caption names every noun that shows at least eight pixels, and no other.
    """
    rng = np.random.default_rng(np.random.SeedSequence(list(seed)))
    ground, horizon = _choose_backgrounds(rng)
    placed = _arrange(rng, style, thing)
    large = SIZE * OVERSAMPLING
    background, zones = paint_background(rng, SIZE, ground, horizon)
    canvas_image = Image.fromarray(background).resize((large, large), Image.Resampling.BILINEAR)
    label_image = Image.fromarray(zones).resize((large, large), Image.Resampling.NEAREST)
    canvas, label_canvas = ImageDraw.Draw(canvas_image), ImageDraw.Draw(label_image)
    for item in placed:
        _paint_thing(item, canvas, label_canvas)
    image = np.asarray(canvas_image.reduce(OVERSAMPLING), dtype=np.float32)
    image = image + rng.normal(0.0, 3.0, size=image.shape).astype(np.float32)
    labels = np.asarray(label_image)[OVERSAMPLING // 2 :: OVERSAMPLING, OVERSAMPLING // 2 :: OVERSAMPLING]
    counts = np.bincount(labels.ravel(), minlength=len(NOUNS))
    shown = tuple(noun for noun, count in zip(NOUNS, counts, strict=True) if count >= 8)
    named = [(item.thing.noun, item.colour_name) for item in placed if item.thing.noun in shown]
    grounds = [noun for noun in BACKGROUNDS if noun in shown]
    return Scene(
        image=np.clip(image, 0, 255).astype(np.uint8),
        labels=labels.copy(),
        caption=describe(rng, named, grounds),
        nouns=shown,
    )


def _choose_backgrounds(rng: np.random.Generator) -> tuple[str, float]:
    """Return the ground's noun and the horizon as a share of the height, sky above it (0: no sky)."""
    ground = BACKGROUNDS[int(rng.integers(len(BACKGROUNDS)))]
    if ground == "sky" or rng.random() < 0.5:
        return ground, 0.0
    return ground, float(rng.uniform(0.35, 0.65))
