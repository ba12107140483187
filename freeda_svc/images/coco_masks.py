"""Masks as COCO's annotation files write them: polygons, and run lengths as numbers or packed into a text.

Written out here, because COCO's own library trusts what it is given: packed run lengths that are cut off are read
beyond their end, masks that are too short are filled with whatever the memory holds, and a polygon far outside the
image takes memory by its circumference.
"""

from collections.abc import Sequence
from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
from skimage.draw import polygon

from freeda_svc.errors import InputError

_LEAST_NUMBERS = 6
_LONGEST_NUMBER = 20  # characters
_FARTHEST = 1e9
_TO_PIXEL_CENTRES = 0.5  # COCO's coordinates are of pixels' edges: the first pixel's centre lies at (0.5, 0.5)
_FIRST_DIGIT, _DIGIT_BITS, _MORE, _SIGN = 48, 5, 0x20, 0x10
_MOST_DIGITS = 8  # eight digits of five bits hold more pixels than any image has


def coco_mask(segmentation: object, height: int, width: int) -> npt.NDArray[np.bool_]:
    """Make the mask of an annotation's ``segmentation``.

    Args:
        segmentation: a list of polygons, each a list x, y, x, y, ... in pixels, of which the mask is the union; or
            an object with ``size`` (height and width) and ``counts``, the lengths of runs of pixels down the columns,
            outside first, as a list of numbers or packed into a text. As some programs write them, a single polygon
            may stand for a list of one, corners may be lists of two, sizes may be texts, and a packed text may be what
            Python shows of bytes. Polygons of one or two corners, which cover nothing, are passed over where there are
            others.
        height: of the image.
        width: of the image.

    Returns:
        (height, width) bool, perhaps without a true pixel.

    Raises:
        InputError: it is something else, or does not fit the image.
    """
    if isinstance(segmentation, list):
        return _polygons(segmentation, height, width)
    if isinstance(segmentation, dict):
        return _runs(segmentation, height, width)
    raise InputError("its segmentation is neither a list of polygons nor an object with counts and size")


def stray_polygons(segmentation: object) -> int:
    """Return how many polygons ``coco_mask`` passes over, because they have less than three corners."""
    if not isinstance(segmentation, list):
        return 0
    return sum(len(corners) < _LEAST_NUMBERS for corners in _corner_lists(segmentation) if isinstance(corners, list))


def _polygons(polygons: Sequence[object], height: int, width: int) -> npt.NDArray[np.bool_]:
    if not polygons:
        raise InputError("its segmentation has no polygon; give at least one")
    mask = np.zeros((height, width), dtype=np.bool_)
    drawn = False
    for corners in _corner_lists(polygons):
        if not _all_numbers(corners) or len(corners) % 2:
            raise InputError("a polygon of its segmentation is broken; expected x, y of at least three corners")
        if not all(abs(number) <= _FARTHEST for number in corners):
            raise InputError("a polygon of its segmentation has a corner beyond all images, or not a number")
        if len(corners) < _LEAST_NUMBERS:
            continue
        drawn = True
        places = np.asarray(corners, dtype=np.float64)
        rows, columns = polygon(places[1::2] - _TO_PIXEL_CENTRES, places[::2] - _TO_PIXEL_CENTRES, mask.shape)
        mask[rows, columns] = True
    if not drawn:
        raise InputError("no polygon of its segmentation has at least three corners")
    return mask


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
            f"the run lengths of its segmentation sum up to {lengths.sum()} pixels, expected {height} x {width}"
        )
    inside = np.arange(len(lengths)) % 2 == 1
    return np.repeat(inside, lengths).reshape(width, height).T


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
    """Return a packed text of which a program wrote what Python shows of bytes: b'...', backslashes doubled."""
    shown = len(text) > len("b''") and text[:2] in {"b'", 'b"'} and text[-1] == text[1]
    return text[2:-1].replace("\\\\", "\\") if shown else text


def _unpack(packed: str) -> list[int]:
    """Return the run lengths of a packed text.

    Each character holds five bits of a number, the least first, and whether more follow; the last one's highest bit is
    the sign. From the fourth on, numbers are differences to the one before the last.
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
