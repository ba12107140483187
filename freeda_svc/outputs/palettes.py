"""Colours for categories: fixed, far apart, and neither glaring nor dull."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from skimage.color import rgb2lab

from freeda_svc.errors import InputError

MOST_COLOURS = 256
"""How many colours there are: an indexed PNG holds no more."""

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
        colours: how many, 1 to 256.

    Returns:
        (colours, 3) uint8, RGB, all different.

    Raises:
        InputError: more colours than there are, or fewer than one.
    """
    if not 1 <= colours <= MOST_COLOURS:
        raise InputError(
            f"there are colours for 1 to {MOST_COLOURS} categories, not for {colours}; ask for fewer at once"
        )
    return _all_colours()[:colours].copy()
