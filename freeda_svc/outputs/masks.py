"""Label maps: PNG files whose pixel values are the labels, and their run lengths, for other formats."""

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from freeda_svc.errors import InputError, one_line
from freeda_svc.outputs.files import check_suffix, write_whole
from freeda_svc.outputs.palettes import UNKNOWN_COLOUR

UNKNOWN = -1
"""The label of pixels that belong to no category."""

UNKNOWN_IN_EIGHT_BITS, UNKNOWN_IN_SIXTEEN_BITS = 255, 65535
"""The pixel values of what is unknown; trainers know the first as "ignore"."""

_DIMENSIONS = 2
_COLOUR_BYTES = 3
_SIXTEEN_BIT_MODES = frozenset(("I;16", "I;16B", "I"))


def check_labels(labels: npt.NDArray[np.integer], categories: int) -> None:
    """Refuse a label map that names other categories than there are.

    Args:
        labels: (H, W) integers.
        categories: how many there are.

    Raises:
        InputError: the map is not two-dimensional or has no pixels, or a label is neither unknown (-1) nor below
            the number of categories.
    """
    if not isinstance(labels, np.ndarray):
        raise InputError(f"labels must be an (H, W) array of integers, not {type(labels).__name__}")
    if labels.ndim != _DIMENSIONS or labels.size == 0 or not np.issubdtype(labels.dtype, np.integer):
        raise InputError(f"labels must be an (H, W) array of integers, not {labels.dtype} {labels.shape}")
    lowest, highest = int(labels.min()), int(labels.max())
    if lowest < UNKNOWN or highest >= categories:
        raise InputError(
            f"labels must go from -1 (unknown) to {categories - 1}, one a colour, not from {lowest} to {highest}"
        )


def pixels_by_label(labels: npt.NDArray[np.integer]) -> dict[int, int]:
    """Count the pixels of each label that a map, (H, W) integers from -1 on, holds; the largest first, unknown last."""
    pixels = np.bincount(labels.ravel() + 1)
    order = (np.argsort(-pixels[1:], kind="stable") + 1).tolist()
    return {place - 1: int(pixels[place]) for place in (*order, 0) if pixels[place]}


def category_runs(pixels: npt.NDArray[np.integer]) -> Iterator[tuple[int, npt.NDArray[np.int64]]]:
    """Cut a flattened label map into the runs of each category that it shows.

    Args:
        pixels: (P,) integers, labels; -1 is unknown and left out.

    Yields:
        A category, in ascending order, and the lengths of its runs: outside, inside, outside, and so on, (n,) int64
            that sum up to P. The first is 0 where the first pixel lies inside; the last may lie in- or outside.
    """
    borders = np.flatnonzero(pixels[1:] != pixels[:-1]) + 1
    starts = np.concatenate(([0], borders))
    stops = np.concatenate((borders, [pixels.size]))
    values = pixels[starts]
    order = np.argsort(values, kind="stable")
    categories, firsts = np.unique(values[order], return_index=True)
    for category, members in zip(categories.tolist(), np.split(order, firsts[1:]), strict=True):
        if category == UNKNOWN:
            continue
        edges = np.stack((starts[members], stops[members]), axis=1).ravel()
        lengths = np.diff(edges, prepend=0)
        rest = pixels.size - int(edges[-1])
        yield category, np.append(lengths, rest) if rest else lengths


def unknown_value(categories: int) -> int:
    """Return the pixel value of what is unknown in the mask of so many categories.

    Raises:
        InputError: there are more than 16 bits can hold.
    """
    if categories > UNKNOWN_IN_SIXTEEN_BITS:
        raise InputError(f"a mask holds at most {UNKNOWN_IN_SIXTEEN_BITS} categories, not {categories}")
    return UNKNOWN_IN_EIGHT_BITS if categories <= UNKNOWN_IN_EIGHT_BITS else UNKNOWN_IN_SIXTEEN_BITS


def write_mask(path: Path | str, labels: npt.NDArray[np.integer], colours: npt.NDArray[np.uint8]) -> None:
    """Write a label map as PNG: its pixel values are the labels.

    Up to 255 categories make an indexed image, with a palette for looking at it; unknown pixels are 255. More make a
    grey one of 16 bits, in which unknown pixels are 65535.

    Args:
        path: ends in .png; the folder exists.
        labels: (H, W) integers, -1 (unknown) to the number of colours less one.
        colours: (N, 3) uint8, RGB, one per category.

    Raises:
        InputError: the name ends otherwise, or the labels do not fit the colours.
        UnavailableError: the file cannot be written.
    """
    path = check_suffix(path, ".png")
    check_labels(labels, len(colours))
    unknown = unknown_value(len(colours))
    indexed = unknown == UNKNOWN_IN_EIGHT_BITS
    stored = labels.astype(np.uint8 if indexed else np.uint16)
    stored[labels == UNKNOWN] = unknown
    image = Image.fromarray(stored)
    if indexed:
        entries = np.zeros((UNKNOWN_IN_EIGHT_BITS + 1, _COLOUR_BYTES), dtype=np.uint8)
        entries[: len(colours)] = colours
        entries[UNKNOWN_IN_EIGHT_BITS] = UNKNOWN_COLOUR
        image.putpalette(entries.tobytes())
    content = BytesIO()
    image.save(content, format="PNG", optimize=False)
    write_whole(path, content.getvalue())


def read_labels(path: Path) -> npt.NDArray[np.int32]:
    """Read a label map that ``write_mask`` wrote.

    Returns:
        (H, W) int32, -1 where unknown.

    Raises:
        InputError: the file is no such mask, or damaged.
    """
    try:
        with Image.open(path, formats=("PNG",)) as image:
            deep = image.mode in _SIXTEEN_BIT_MODES
            if not deep and image.mode not in {"P", "L"}:
                raise InputError(f"the mask {path} has colours for pixels; expected labels, as an indexed PNG")
            labels = np.asarray(image).astype(np.int32)
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"the mask {path} cannot be read: {one_line(error)}") from error
    labels[labels == (UNKNOWN_IN_SIXTEEN_BITS if deep else UNKNOWN_IN_EIGHT_BITS)] = UNKNOWN
    return labels
