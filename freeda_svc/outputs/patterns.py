"""Patterns for regions whose colours are too similar to be distinguished."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from freeda_svc.outputs.blending import LUMINANCE
from freeda_svc.outputs.differences import distinctness, perceived

LEAST_DISTINCTNESS = 0.45
"""Of colours that are mixed with a picture, as ``distinctness`` returns it; below that one of two gets a pattern."""

PLAIN = 0
UNKNOWN_PATTERN = 2
"""Of what is unknown, always: also where an image is grey itself it must not look as if nothing were laid over it."""

_BRIGHT = 128.0
_LIGHTER, _DARKER = 0.55, 0.6

# each stripe or dot is there where this is below its share of the period
_PATTERNS = (
    lambda rows, columns: rows + columns,
    lambda rows, columns: rows - columns,
    lambda rows, columns: rows + 0 * columns,
    lambda rows, columns: columns + 0 * rows,
)


def choose_patterns(
    colours: Mapping[int, npt.NDArray[np.generic]], order: Sequence[int], given: Mapping[int, int] | None = None
) -> dict[int, int]:
    """Give each category a pattern, the plain one if possible.

    Args:
        colours: (3,) RGB, 0 to 255, in which a picture shows each category.
        order: of the categories; the first of two that are alike stays plain.
        given: patterns that are settled, by category; the others avoid them.

    Returns:
        For each category the number of its pattern: no two have the same one that are alike. Where there are more
        alike than patterns, the last of them share one.
    """
    colours_seen = perceived(np.array([colours[category] for category in order]))
    alike = distinctness(colours_seen, colours_seen) < LEAST_DISTINCTNESS
    settled = given or {}
    chosen: list[int] = []
    for place, category in enumerate(order):
        taken = {chosen[other] for other in range(place) if alike[place, other]}
        free = (number for number in range(len(_PATTERNS) + 1) if number not in taken)
        chosen.append(settled[category] if category in settled else next(free, len(_PATTERNS)))
    return dict(zip(order, chosen, strict=True))


def draw_pattern(
    pixels: npt.NDArray[np.uint8],
    inside: npt.NDArray[np.bool_],
    pattern: int,
    colour: npt.NDArray[np.generic],
    period: int,
) -> None:
    """Draw a pattern into a part of a picture.

    Args:
        pixels: (H, W, 3) uint8, is changed.
        inside: (H, W) bool, where.
        pattern: its number; nothing is drawn for ``PLAIN``.
        colour: (3,) of the part, which lines are darker or lighter than.
        period: pixels from line to line.
    """
    if pattern == PLAIN:
        return
    height, width = inside.shape
    rows, columns = np.arange(height)[:, None], np.arange(width)[None]
    lines = inside & (_PATTERNS[pattern - 1](rows, columns) % period < max(2, period // 4))
    old = pixels[lines].astype(np.float32)
    bright = float(np.dot(colour, LUMINANCE)) > _BRIGHT
    new = old * _DARKER if bright else old + (255 - old) * _LIGHTER
    pixels[lines] = new.round().astype(np.uint8)
