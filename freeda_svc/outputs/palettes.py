"""Colours for categories: fixed, far apart, and neither glaring nor dull."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from skimage.color import rgb2lab

from freeda_svc.errors import InputError

MOST_COLOURS = 255
"""How many different colours there are: an indexed PNG holds one more, which is for what is unknown."""

UNKNOWN_COLOUR = (224, 224, 192)
"""The cream in which PASCAL VOC shows what belongs to no class; none of the colours of the palette."""

_STEPS = 18
_LIGHTNESS = (38.0, 84.0)
_CHROMA = (22.0, 78.0)
_FIRST = (66, 120, 200)


@lru_cache(maxsize=1)
def _all_colours() -> npt.NDArray[np.uint8]:
    """Choose colours one by one, each as far as possible from those before it in CIELAB."""
    levels = np.linspace(0, 255, _STEPS).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = rgb2lab(grid / 255)
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    pleasant = (lab[:, 0] > _LIGHTNESS[0]) & (lab[:, 0] < _LIGHTNESS[1]) & (chroma > _CHROMA[0]) & (chroma < _CHROMA[1])
    colours, places = grid[pleasant], lab[pleasant]
    chosen = [int(np.linalg.norm(places - rgb2lab(np.array(_FIRST) / 255), axis=1).argmin())]
    distance = np.full(len(places), np.inf)
    while len(chosen) < MOST_COLOURS:
        distance = np.minimum(distance, np.linalg.norm(places - places[chosen[-1]], axis=1))
        chosen.append(int(distance.argmax()))
    return np.asarray(colours[chosen], dtype=np.uint8)


def palette(colours: int = MOST_COLOURS) -> npt.NDArray[np.uint8]:
    """Return the first colours of the palette; index i has the same colour in every palette.

    Args:
        colours: how many, at least 1.

    Returns:
        (colours, 3) uint8, RGB, all different up to 255; from there on they come again.

    Raises:
        InputError: fewer than one.
    """
    if colours < 1:
        raise InputError(f"a palette has at least one colour, not {colours}")
    return _all_colours()[np.arange(colours) % MOST_COLOURS]


def extend_colours(given: npt.NDArray[np.uint8], colours: int) -> npt.NDArray[np.uint8]:
    """Put colours of the palette that differ from those given behind them.

    Args:
        given: (n, 3) uint8, RGB, such as a vocabulary's own.
        colours: how many there are to be, at least n.

    Returns:
        (colours, 3) uint8, RGB.
    """
    taken = set(map(tuple, given.tolist()))
    free = np.array([colour for colour in palette().tolist() if tuple(colour) not in taken], dtype=np.uint8)
    more = free[np.arange(colours - len(given)) % len(free)]
    return np.concatenate([given.reshape(-1, 3).astype(np.uint8), more])
