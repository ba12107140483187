"""Colours for categories: fixed, far apart for everybody's eyes, and none nearly black, white or grey."""

from functools import lru_cache
from importlib import resources

import numpy as np
import numpy.typing as npt

from freeda_svc.errors import InputError
from freeda_svc.outputs.differences import distinctness, perceived_tints

MOST_COLOURS = 255
"""How many different colours there are: an indexed PNG holds one more, which is for what is unknown."""

UNKNOWN_COLOUR = (224, 224, 192)
"""The cream in which PASCAL VOC shows what belongs to no class; far from the first colours of the palette."""

UNKNOWN_SHOWN = (128, 128, 128)
"""The grey that pictures to look at mix with what is unknown, the image itself in grey; no category is grey."""

_FILE = "palette.csv"
_STEPS = 18
_LIGHTNESS = (22.0, 92.0)
_CHROMA = (18.0, 110.0)
_FIRST = (66, 120, 200)


def choose_colours(colours: int = MOST_COLOURS) -> npt.NDArray[np.uint8]:
    """Choose colours one by one, each as distinct as possible from those before it and from that of unknown pixels.

    This takes seconds; its result is kept in a file beside this module, which ``palette`` reads.

    Returns:
        (colours, 3) uint8, RGB.
    """
    from skimage.color import rgb2lab  # noqa: PLC0415 - slow to import, and needed only here

    levels = np.linspace(0, 255, _STEPS).round().astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = rgb2lab(grid / 255)
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    pleasant = (lab[:, 0] > _LIGHTNESS[0]) & (lab[:, 0] < _LIGHTNESS[1]) & (chroma > _CHROMA[0]) & (chroma < _CHROMA[1])
    grid = grid[pleasant]
    colours_seen = perceived_tints(grid)
    apart = distinctness(colours_seen, perceived_tints(np.array([UNKNOWN_COLOUR])))[:, 0]
    chosen = [int(np.abs(grid.astype(int) - _FIRST).sum(axis=1).argmin())]
    while len(chosen) < colours:
        apart = np.minimum(apart, distinctness(colours_seen, colours_seen[:, chosen[-1:]])[:, 0])
        chosen.append(int(apart.argmax()))
    return np.asarray(grid[chosen], dtype=np.uint8)


@lru_cache(maxsize=1)
def all_colours() -> npt.NDArray[np.uint8]:
    """Return the (``MOST_COLOURS``, 3) uint8 colours of the palette's file, which is read once."""
    lines = resources.files("freeda_svc.outputs").joinpath("data", _FILE).read_text(encoding="ascii").splitlines()
    return np.array([line.split(",") for line in lines[1:]], dtype=np.uint8)


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
    return all_colours()[np.arange(colours) % MOST_COLOURS]


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
