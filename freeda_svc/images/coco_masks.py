"""Masks in COCO's notations: polygons, and run lengths (RLE) as numbers or packed into a string.

pycocotools draws and decodes them. It trusts its input, so everything is checked before: a packed string that is cut
off is read beyond its end, missing pixels are uninitialised memory, and a polygon takes memory by its outline.
"""

import warnings
from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
from pycocotools import mask as pycocotools_mask

from freeda_svc.errors import InputError

MOST_COCO_PIXELS = (1 << 29) - 1
"""Of an image with masks in COCO's notation: longer runs overflow pycocotools' packed strings."""

_LEAST_NUMBERS = 6
_LONGEST_NUMBER = 20  # characters
_FARTHEST = 1e9
_FARTHEST_DRAWN = 1e8  # pycocotools overflows at four times as much
_LONGEST_OUTLINE = 4e6  # pixels; pycocotools takes 80 bytes for each
_FIRST_DIGIT, _DIGIT_BITS, _MORE, _SIGN = 48, 5, 0x20, 0x10
_MOST_DIGITS = 8  # eight digits of five bits hold more pixels than any image has


def coco_mask(segmentation: object, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Return the mask of an annotation's ``segmentation``, to the pixel as pycocotools draws it.

    Args:
        segmentation: a list of polygons, each a list x, y, x, y, ... in pixels, of which the mask is the union; or
            an object with ``size`` (height and width) and ``counts``, the lengths of runs of pixels down the columns,
            background first, as a list of numbers or packed into a string. Variants that some programs write are
            accepted: a single polygon instead of a list of one, corners as lists of two, sizes as strings, and a
            packed string as Python prints bytes. Polygons of one or two corners, which cover nothing, are skipped
            where there are others.
        height: of the image.
        width: of the image.

    Returns:
        (height, width) bool, perhaps without a true pixel.

    Raises:
        InputError: it is something else, or does not fit the image, or the image has more than 2^29 pixels.
    """
    if height * width > MOST_COCO_PIXELS:
        raise InputError(f"its image has {height * width:,} pixels, COCO's masks at most {MOST_COCO_PIXELS:,}")
    if isinstance(segmentation, list):
        return _polygons(segmentation, height, width)
    if isinstance(segmentation, dict):
        return _runs(segmentation, height, width)
    raise InputError("its segmentation is neither a list of polygons nor an object with counts and size")


def stray_polygons(segmentation: object) -> int:
    """Return how many polygons ``coco_mask`` skips because they have less than three corners."""
    if not isinstance(segmentation, list):
        return 0
    return sum(len(corners) < _LEAST_NUMBERS for corners in _corner_lists(segmentation) if isinstance(corners, list))


def _polygons(polygons: Sequence[object], height: int, width: int) -> npt.NDArray[np.bool_]:
    if not polygons:
        raise InputError("its segmentation has no polygon; give at least one")
    drawn = []
    for corners in _corner_lists(polygons):
        if not _all_numbers(corners) or len(corners) % 2:
            raise InputError("a polygon of its segmentation is broken; expected x, y of at least three corners")
        if not all(abs(number) <= _FARTHEST for number in corners):
            raise InputError("a polygon of its segmentation has a corner beyond all images, or not a number")
        if len(corners) >= _LEAST_NUMBERS:
            drawn.append(_near(np.asarray(corners, dtype=np.float64).reshape(-1, 2), height, width))
    if not drawn:
        raise InputError("no polygon of its segmentation has at least three corners")
    if sum(map(_outline, drawn)) > _LONGEST_OUTLINE:
        raise InputError(f"the outline of its segmentation is longer than {_LONGEST_OUTLINE:,.0f} pixels")
    # a polygon of which nothing is left covers nothing; pycocotools takes lists of four numbers for boxes
    left = [corners.ravel() for corners in drawn if corners.size >= _LEAST_NUMBERS]
    if not left:
        return np.zeros((height, width), dtype=np.bool_)
    return _decoded(pycocotools_mask.merge(pycocotools_mask.frPyObjects(left, height, width)))


def _outline(corners: npt.NDArray[np.float64]) -> float:
    """Return in how many steps of a pixel pycocotools goes around a polygon, (n, 2); infinite where it overflows."""
    if not corners.size:
        return 0.0
    if np.abs(corners).max() > _FARTHEST_DRAWN:
        return np.inf
    return float(np.abs(corners - np.roll(corners, -1, axis=0)).max(axis=1).sum())


def _near(corners: npt.NDArray[np.float64], height: int, width: int) -> npt.NDArray[np.float64]:
    """Return a polygon, (n, 2) x and y, that pycocotools can draw: a huge one is clipped to the image's surroundings.

    Each of the four borders is one pass of the algorithm of Sutherland and Hodgman (1974).
    """
    if _outline(corners) <= _LONGEST_OUTLINE:
        return corners
    for axis, side in enumerate((width, height)):
        for sign, bound in ((1.0, -float(side)), (-1.0, 2.0 * side)):
            inside = (corners[:, axis] - bound) * sign >= 0
            if inside.all():
                continue
            following = np.roll(corners, -1, axis=0)
            way = following - corners
            share = np.divide(bound - corners[:, axis], way[:, axis], where=way[:, axis] != 0, out=np.zeros(len(way)))
            crossings = corners + share[:, None] * way
            crossings[:, axis] = bound
            kept = np.stack((inside, inside != np.roll(inside, -1)), axis=1)
            corners = np.stack((corners, crossings), axis=1)[kept]
    return corners


def _decoded(rle: dict[str, Any]) -> npt.NDArray[np.bool_]:
    with warnings.catch_warnings():
        # pycocotools' own binding makes arrays in the way of NumPy 1
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        return np.asarray(pycocotools_mask.decode(rle) != 0)


def _corner_lists(polygons: Sequence[object]) -> Sequence[object]:
    """Return each polygon as one list of numbers, where it can be read as one."""
    if polygons and _all_numbers(polygons):
        return [polygons]
    if len(polygons) * 2 >= _LEAST_NUMBERS and all(_is_corner(part) for part in polygons):
        return [_joined(polygons)]
    return [_joined(part) if _are_corners(part) else part for part in polygons]


def _all_numbers(values: object) -> TypeGuard[list[float]]:
    return isinstance(values, list) and all(
        isinstance(value, int | float) and not isinstance(value, bool) for value in values
    )


def _is_corner(value: object) -> bool:
    return _all_numbers(value) and len(value) == 2  # noqa: PLR2004 (x and y)


def _are_corners(values: object) -> TypeGuard[list[object]]:
    return isinstance(values, list) and bool(values) and all(map(_is_corner, values))


def _joined(corners: Sequence[Any]) -> list[float]:
    return [number for corner in corners for number in corner]


def _runs(segmentation: dict[str, Any], height: int, width: int) -> npt.NDArray[np.bool_]:
    size, counts = segmentation.get("size"), segmentation.get("counts")
    if not isinstance(size, list) or [whole_number(side) for side in size] != [height, width]:
        raise InputError(
            f"the run lengths of its segmentation are for the size {size!r:.40}, expected {[height, width]}"
        )
    if isinstance(counts, str):
        counts = _unpack(_packed_text(counts))
    if not _all_numbers(counts) or not all(0 <= count <= height * width and count == int(count) for count in counts):
        raise InputError("the run lengths of its segmentation are broken; expected numbers of pixels")
    lengths = np.asarray(counts, dtype=np.int64)
    if lengths.sum() != height * width:
        raise InputError(
            f"the run lengths of its segmentation sum up to {lengths.sum()}, expected {height} x {width} pixels"
        )
    # packed again by pycocotools, so that its parser never reads a string from outside
    rle = pycocotools_mask.frPyObjects({"size": [height, width], "counts": lengths}, height, width)
    return _decoded(rle)


def whole_number(value: object) -> int | None:
    """Return a whole number that is written as 3, 3.0 or "3"; None for anything else."""
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER:
        try:
            value = float(value)
        except ValueError:
            return None
    if isinstance(value, float):
        return int(value) if value.is_integer() else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _packed_text(text: str) -> str:
    """Undo ``repr`` of a packed string that was written as Python prints bytes: b'...', backslashes doubled."""
    shown = len(text) > len("b''") and text[:2] in {"b'", 'b"'} and text[-1] == text[1]
    return text[2:-1].replace("\\\\", "\\") if shown else text


def _unpack(packed: str) -> list[int]:
    """Return the run lengths of a packed string.

    Each character holds five bits of a number, the lowest first, and whether more follow; the last one's highest bit
    is the sign. From the fourth on, numbers are differences to the one before the last.
    """
    counts: list[int] = []
    number = digits = 0
    for character in packed:
        code = ord(character) - _FIRST_DIGIT
        if not 0 <= code < 2 * _MORE or digits == _MOST_DIGITS:
            raise InputError("the run lengths of its segmentation are broken: they hold what is no packed number")
        number |= (code & (_MORE - 1)) << (_DIGIT_BITS * digits)
        digits += 1
        if code & _MORE:
            continue
        if code & _SIGN:
            number -= 1 << (_DIGIT_BITS * digits)
        counts.append(number + counts[-2] if len(counts) > 2 else number)  # noqa: PLR2004 (the first three are whole)
        number = digits = 0
    if digits:
        raise InputError("the run lengths of its segmentation are cut off")
    return counts
