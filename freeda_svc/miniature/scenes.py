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

from freeda_svc.miniature.backgrounds import paint_background
from freeda_svc.miniature.sentences import describe
from freeda_svc.miniature.shapes import DETAIL_TONES, Point, Rgb, Thing
from freeda_svc.miniature.worlds import SMALL, Reader, SceneStyle, Word, World

SIZE = 64
OVERSAMPLING = 4
NOUNS: tuple[str, ...] = SMALL.nouns
EASY, HARD, CROWDED = SMALL.easy, SMALL.hard, SMALL.crowded


@dataclass(frozen=True, eq=False)
class Scene:
    """A painted scene.

    Attributes:
        image: (64, 64, 3) uint8, RGB.
        labels: (64, 64) uint8, indices into the world's nouns.
        caption: one natural sentence that names what is in the scene.
        nouns: the nouns that the scene shows, in the world's order.
        named: the concepts that the caption names: nouns, or kinds where it uses the general word.
    """

    image: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.uint8]
    caption: str
    nouns: tuple[str, ...]
    named: tuple[str, ...]


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
    lowest = SIZE * 0.55 if thing.aloft else SIZE - margin
    name, colour = thing.colours[int(rng.integers(len(thing.colours)))]
    return _Placed(
        thing=thing,
        colour_name=name,
        colour=_shade(colour, float(rng.uniform(0.85, 1.12))),
        centre=(float(rng.uniform(margin, SIZE - margin)), float(rng.uniform(margin, max(margin + 1, lowest)))),
        half_width=half_width,
        mirrored=bool(rng.random() < 0.5),
    )


def _arrange(rng: np.random.Generator, things: Sequence[Thing], style: SceneStyle, first: str | None) -> list[_Placed]:
    """Choose things and find places where none hides more of another than the style allows."""
    count = int(rng.integers(style.things[0], style.things[1] + 1))
    order = [things[int(index)] for index in rng.permutation(len(things))]
    if first is not None:
        order.sort(key=lambda thing: thing.noun != first)
    placed: list[_Placed] = []
    for thing in order[:count]:
        for _ in range(12):
            candidate = _place(rng, thing, style)
            if all(_overlap(candidate, other) < style.overlap for other in placed):
                placed.append(candidate)
                break
    return placed


def _choose_word(rng: np.random.Generator, words: Sequence[Word]) -> Word:
    return words[int(rng.integers(len(words)))] if len(words) > 1 else words[0]


def _relate(first: _Placed, second: _Placed, *, painted_later: bool) -> tuple[str, ...]:
    """Say how one thing lies to another; true of the mirrored scene, too."""
    height, reach = second.centre[1] - first.centre[1], 0.8 * (first.half_width + second.half_width)
    if _overlap(first, second) > 0.1:
        return ("in front of",) if painted_later else ("behind",)
    if abs(second.centre[0] - first.centre[0]) > reach or abs(height) < reach:
        return ()
    return ("above", "over") if height > 0 else ("below", "under")


def _paint_thing(placed: _Placed, index: int, canvas: ImageDraw.ImageDraw, labels: ImageDraw.ImageDraw) -> None:
    scale = placed.half_width * OVERSAMPLING
    sign = -1.0 if placed.mirrored else 1.0
    x0, y0 = (value * OVERSAMPLING for value in placed.centre)
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


def paint_scene(
    seed: Sequence[int],
    style: SceneStyle,
    *,
    thing: str | None = None,
    world: World = SMALL,
    reader: Reader = "generator",
) -> Scene:
    """Paint the scene of a seed.

    Args:
        seed: non-negative integers that name the scene, such as ``(split, number)``.
        style: how full the scene is.
        thing: the noun of a thing that must be among those placed; None leaves it to the seed.
        world: where backgrounds, things and words come from.
        reader: whom the caption is for; only things whose nouns it knows are placed.

    Returns:
        The scene; its caption names everything that shows at least eight pixels, and nothing else.
    """
    rng = np.random.default_rng(np.random.SeedSequence(list(seed)))
    ground, horizon = _choose_backgrounds(rng, world)
    placed = _arrange(rng, world.things_for(reader), style, thing)
    large = SIZE * OVERSAMPLING
    background, zones = paint_background(rng, SIZE, ground, horizon)
    canvas_image = Image.fromarray(background).resize((large, large), Image.Resampling.BILINEAR)
    label_image = Image.fromarray(zones).resize((large, large), Image.Resampling.NEAREST)
    canvas, label_canvas = ImageDraw.Draw(canvas_image), ImageDraw.Draw(label_image)
    for item in placed:
        _paint_thing(item, world.nouns.index(item.thing.noun), canvas, label_canvas)
    image = np.asarray(canvas_image.reduce(OVERSAMPLING), dtype=np.float32)
    image = image + rng.normal(0.0, 3.0, size=image.shape).astype(np.float32)
    labels = np.asarray(label_image)[OVERSAMPLING // 2 :: OVERSAMPLING, OVERSAMPLING // 2 :: OVERSAMPLING]
    counts = np.bincount(labels.ravel(), minlength=len(world.nouns))
    shown = tuple(noun for noun, count in zip(world.nouns, counts, strict=True) if count >= 8)
    visible = [item for item in placed if item.thing.noun in shown]
    words = [_choose_word(rng, world.words_for(reader, item.thing)) for item in visible]
    named = [(word.text, item.colour_name) for word, item in zip(words, visible, strict=True)]
    grounds = [noun for noun in world.backgrounds if noun in shown]

    def relate(first: int, second: int) -> tuple[str, ...]:
        return _relate(visible[first], visible[second], painted_later=first > second) if world.relations else ()

    concepts = {*grounds, *(word.concept for word in words)}
    return Scene(
        image=np.clip(image, 0, 255).astype(np.uint8),
        labels=labels.copy(),
        caption=describe(rng, named, grounds, relate),
        nouns=shown,
        named=tuple(concept for concept in world.concepts if concept in concepts),
    )


def _choose_backgrounds(rng: np.random.Generator, world: World) -> tuple[str, float]:
    """Return the ground's noun and the horizon as a share of the height, sky above it (0: no sky)."""
    ground = world.backgrounds[int(rng.integers(len(world.backgrounds)))]
    if ground == "sky" or rng.random() < 0.5:
        return ground, 0.0
    return ground, float(rng.uniform(0.35, 0.65))
